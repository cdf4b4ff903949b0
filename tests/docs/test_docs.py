"""The documents and pictures agree with the project, and keep the rules that a test can check.

cog checks their generated parts (`tox -e checks`). The examples in docs/library.md and in public
docstrings run and print what they show.
"""

import contextlib
import doctest
import inspect
import io
import json
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support.generators import DOCS, generator
from support.moto_account import emulated_account

import dt_logs_cfn
from dt_logs_cfn import Settings, __version__, build_release
from dt_logs_cfn.cli.main import COMMANDS, main
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.templates import ANSWERS, stack_template

ROOT = DOCS.parent
README = ROOT / "README.md"
GUIDES = sorted(DOCS.glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *GUIDES]
CODE_BLOCK = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
GENERATED = re.compile(r"<!-- \[\[\[cog.*?\[\[\[end\]\]\] -->", re.DOTALL)
COMMAND = re.compile(r"(?:dt-logs-cfn|python -m dt_logs_cfn) ([a-z]+)")
AWKWARD = re.compile(
    r"(?<!there )\b(?:is|are|was|were|be) (?:no (?!longer\b)|none\b|nobody\b|nothing\b)"
    r"|\bof (?:ours|yours|theirs)\b|\bto be had\b|\bas it is\b|, say[,.)]",
    re.IGNORECASE,
)
LONGEST = 25  # words in a sentence


def code_blocks(document: Path) -> list[str]:
    """Return the fenced blocks of a document, with continued command lines joined."""
    return [block.replace("\\\n", " ") for block in CODE_BLOCK.findall(document.read_text("utf-8"))]


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives a document's headings."""
    prose = CODE_BLOCK.sub("", document.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def leads_somewhere(document: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    linked = document.parent / path if path else document
    return linked.exists() and (not anchor or anchor in anchors(linked))


def prose(document: Path) -> str:
    """Return a document's own words, without code, generated parts and link targets."""
    text = CODE_BLOCK.sub("", GENERATED.sub("", document.read_text("utf-8")))
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "`code`", text))


def sentences(text: str) -> Iterator[str]:
    """Yield a text's sentences; list items, cells, colons and semicolons also end a sentence."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*>#|]|\d+\.) )| \| ", text):
        yield from re.split(r"(?<=[.!?:;])[*`)\]]*\s+", " ".join(block.split()))


def long_ones(text: str) -> list[str]:
    return [each for each in sentences(text) if len(re.findall(r"\w[\w'-]*", each)) > LONGEST]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_it_is_complete_of_this_release_and_has_no_awkward_phrase(document: Path) -> None:
    text = document.read_text("utf-8")
    lines = [line for block in code_blocks(document) for line in block.splitlines()]
    launched = "cloudformation (deploy|create-stack|update-stack|create-change-set)"
    words = " ".join(prose(document).split())
    links = re.findall(r"\]\(([^)\s]+)\)", CODE_BLOCK.sub("", text))

    for target in links:
        assert "://" in target or leads_somewhere(document, target), target
    assert set(COMMAND.findall(text)) <= set(COMMANDS)
    for line in lines:
        if re.search(launched, line):
            assert "--capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM" in line
    assert [words[at.start() - 40 : at.end() + 40] for at in AWKWARD.finditer(words)] == []
    if document in (README, *GUIDES):
        assert {*re.findall(r"(?:build|release)/(\d+\.\d+\.\d+)/", text)} <= {__version__}
    if document in GUIDES:
        assert text.split("\n\n")[1].startswith("For ")


def test_the_readme_is_short_and_names_the_commands_and_what_is_unknown_after_a_launch() -> None:
    """CI runs the commands in the two lines that README gives to developers."""
    text = README.read_text("utf-8")
    assert long_ones(prose(README)) == []
    assert len(text.splitlines()) <= 200
    assert len(text.split()) <= 1_800
    assert re.findall(r"^\| `dt-logs-cfn ([a-z]+)` \|", text, re.MULTILINE) == [*COMMANDS]

    (block,) = (each for each in code_blocks(README) if "-m venv" in each)
    ran = (ROOT / ".ci" / "run").read_text("utf-8").replace("--quiet ", "").splitlines()
    lines = block.splitlines()[1:-1]
    assert len(lines) == 2
    for command in (part.strip() for line in lines for part in line.split("&&")):
        assert any(line == command or line.startswith(f"{command} ") for line in ran)

    session = (DOCS / "operations.md").read_text("utf-8")
    unknown = re.findall(r"^  unknown  (.+?)  ", session, re.MULTILINE)
    assert len(unknown) == 3
    assert [each for each in unknown if f"`{each}`" not in text] == []


def test_customers_find_every_resource_and_output_and_vendors_every_file() -> None:
    customer, vendor = ((DOCS / each).read_text("utf-8") for each in ("customer.md", "vendor.md"))
    resources = stack_template(Settings(), Privileges.LEAST_PRIVILEGE).to_dict()["Resources"]
    assert [name for name in (*resources, *ANSWERS) if f"| `{name}` |" not in customer] == []

    rows = re.findall(r"^\| (`[^|]+`) \| ", vendor, re.MULTILINE)
    named = {name for row in rows for name in re.findall("`([^`]+)`", row)}
    built = {re.sub("/.*", "/", name) for name in build_release(Settings()).files}
    assert built - named == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_no_awkward_phrase_and_short_sentences(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # one paragraph on each line
    with pytest.raises(SystemExit):
        main([command, "--help"])
    _usage, *lines = capsys.readouterr().out.splitlines()
    text = "\n\n".join(lines)

    assert (AWKWARD.findall(text), long_ones(text)) == ([], [])


def test_awkward_phrases_and_long_sentences_are_found() -> None:
    assert AWKWARD.search("That is no template of ours, say.")
    assert not AWKWARD.search("There is no template. It is no longer used.")
    assert long_ones("word " * (LONGEST + 1)) and not long_ones("Some words. " * LONGEST)


def test_the_cast_shows_what_the_commands_print_now_and_loads_nothing() -> None:
    cast, drawing = generator("cast"), (DOCS / "cast.svg").read_text("utf-8")
    found = [(each.tag.rpartition("}")[2], each) for each in ElementTree.fromstring(drawing).iter()]
    lines = ["".join(each.itertext()) for tag, each in found if tag == "text"]

    made = cast.cast((DOCS / "operations.md").read_text("utf-8"))
    assert made == drawing, "Make it anew: python docs/cast.py"
    assert max(map(len, lines)) <= cast.COLUMNS
    assert re.fullmatch(r"\d+ checks in .*: .* unknown\.", lines[-1])
    assert {tag for tag, _ in found} == {"svg", "title", "style", "rect", "g", "text", "tspan"}
    assert re.findall(r"\bon\w+=|href|url\(|@import", drawing) == []


def test_the_screenshots_show_the_pages_of_today_and_are_small() -> None:
    screenshots = generator("screenshots")
    recorded = json.loads(screenshots.DIGESTS.read_text("utf-8"))
    assert recorded == screenshots.digests(), "Take them anew: python docs/screenshots.py"
    sizes = [(DOCS / name).stat().st_size for name in ("launch-page.png", "report.png")]
    assert max(sizes) < 150_000


def test_every_reason_that_the_handler_may_give_is_listed() -> None:
    """Check that the list has at least as many reasons as the code has calls of error classes.

    cog checks the list in docs/operations.md.
    """
    failures = generator("failures")
    names = "HandlerError|InvalidRequest|Refused|CallFailed|OutOfTime|Overtaken"
    sources = (ROOT / "handler" / "dt_logs_handler").glob("*.py")
    made = {
        each.stem: len(re.findall(rf"(?:raise|return|=) (?:{names})\(", each.read_text("utf-8")))
        for each in sources
        if each.stem != "errors"
    }
    found = failures.failures()
    refused = {each.what for each in found if each.module == "request"}

    assert {name for name, count in made.items() if count} <= {each.module for each in found}
    assert sum(made.values()) <= len(found)
    lists = ("LoadBalancerArns", "ResourceTags")
    for name in (*lists, "DataTheoremAccountId", "NotificationEndpoint", "LogBucketName"):
        assert f"{name} <value> is not valid." in refused
    for each in found:
        assert each.what.endswith((".", ">")) and each.fix.endswith((".", ">", ")")), each
    days = "LogRetentionDays &lt;value&gt; is not valid. | Give a number from 1 to 36500."
    assert days in failures.table()


# These commands need AWS or run too long. `tests/rehearsal` rehearses the guide's alarm.
NOT_HERE = ("publish", "rehearse")
GUIDE = (DOCS / "library.md").read_text("utf-8")
EXAMPLES = {
    title: re.findall(r"^```(\w+)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
    for title, body in re.findall(
        r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL
    )
}
WORKED = [title for title, blocks in EXAMPLES.items() if blocks]
LIBRARY = {name: getattr(dt_logs_cfn, name) for name in dt_logs_cfn.__all__}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Provide an AWS account in moto, with one load balancer that does not log."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    with emulated_account() as found:
        found.add_load_balancer("web")
        yield


def run(code: str, names: dict[str, Any]) -> str:
    """Run code and return its output, or write the code to the file that its first line names."""
    named = re.match(r"# (\w+\.py)\n", code)
    if named:
        Path(named[1]).write_text(code)
        return ""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    return printed.getvalue()


@pytest.mark.parametrize("title", WORKED)
@pytest.mark.usefixtures("account")
def test_an_example_prints_what_it_shows(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "alarm", raising=False)
    (tmp_path / "release.cfg").touch()
    names: dict[str, Any] = {}
    printed = ""
    for language, block in EXAMPLES[title]:
        match language:
            case "python":
                printed = run(block, names)
            case "text":
                assert printed == block
            case "sh":
                for command, *words in (line.split()[1:] for line in block.splitlines()):
                    assert command in NOT_HERE or main([command, *words]) == 0


def test_the_guide_has_every_public_name_four_examples_and_their_settings_file(
    tmp_path: Path,
) -> None:
    assert len(WORKED) == 4
    assert [name for name in LIBRARY if f"`{name}`" not in GUIDE and name[:2] != "__"] == []

    blocks = dict(EXAMPLES[WORKED[0]])
    (tmp_path / "release.cfg").write_text(blocks["ini"])
    names: dict[str, Any] = {}
    exec(blocks["python"].partition("\nrelease = ")[0], names)
    expected = Settings((names["vendor"],), names["function"])
    assert Settings.load(tmp_path / "release.cfg") == expected


# Users of the library do not see the handler's docstrings, so those need not have examples.
DOCUMENTED = [
    name
    for name, found in LIBRARY.items()
    if (inspect.isclass(found) or inspect.isfunction(found))
    and typing.get_origin(found) is None  # Python 3.10 treats such aliases as classes
    and not found.__module__.startswith("dt_logs_handler.")
]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_docstring_has_an_example_that_runs(name: str) -> None:
    found = doctest.DocTestFinder().find(LIBRARY[name], name, globs=LIBRARY)
    runner = doctest.DocTestRunner(verbose=False)

    told = io.StringIO()
    for each in found:
        runner.run(each, out=told.write)

    assert (runner.failures, told.getvalue()) == (0, "")
    assert runner.tries > 0
