"""The documents agree with the project, and keep the style rules that a test can check.

cog checks their generated parts (`tox -e checks`).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dt_logs_cfn import Settings, __version__, build_release
from dt_logs_cfn.cli.main import COMMANDS, main
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.resources import ANSWERS
from dt_logs_cfn.template.templates import stack_template

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CUSTOMER, VENDOR = ROOT / "docs" / "customer.md", ROOT / "docs" / "vendor.md"
GUIDES = sorted((ROOT / "docs").glob("*.md"))
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


def ids(value: object) -> str:
    return value.name if isinstance(value, Path) else str(value)


def code_blocks(document: Path) -> list[str]:
    """Return the fenced blocks of a document, with continued command lines joined."""
    return [block.replace("\\\n", " ") for block in CODE_BLOCK.findall(document.read_text("utf-8"))]


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives a document's headings."""
    prose = CODE_BLOCK.sub("", document.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        prose = CODE_BLOCK.sub("", document.read_text("utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if "://" not in target:
                yield document, target


def prose(document: Path) -> str:
    """Return a document's own words, without code, generated parts and link targets."""
    text = CODE_BLOCK.sub("", GENERATED.sub("", document.read_text("utf-8")))
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "`code`", text))


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text; list items, cells, colons and semicolons also end one."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*>#|]|\d+\.) )| \| ", text):
        yield from re.split(r"(?<=[.!?:;])[*`)\]]*\s+", " ".join(block.split()))


def long_ones(text: str) -> list[str]:
    return [each for each in sentences(text) if len(re.findall(r"\w[\w'-]*", each)) > LONGEST]


@pytest.fixture(params=COMMANDS)
def help_text(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """Return a command's `--help` without the usage, as one paragraph per line."""
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        main([request.param, "--help"])
    _, *lines = capsys.readouterr().out.splitlines()
    return "\n\n".join(lines)


@pytest.mark.parametrize(("document", "target"), [*links()], ids=ids)
def test_a_link_leads_somewhere(document: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    linked = document.parent / path if path else document

    assert linked.exists()
    assert not anchor or anchor in anchors(linked)


def test_the_two_commands_are_what_ci_runs() -> None:
    (block,) = (each for each in code_blocks(README) if "-m venv" in each)
    lines = block.splitlines()[1:-1]
    ran = (ROOT / ".ci" / "run").read_text("utf-8").replace("--quiet ", "").splitlines()

    assert len(lines) == 2
    for command in (part.strip() for line in lines for part in line.split("&&")):
        assert any(line == command or line.startswith(f"{command} ") for line in ran)


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_its_commands_exist_and_are_complete(document: Path) -> None:
    lines = [line for block in code_blocks(document) for line in block.splitlines()]
    launched = "cloudformation (deploy|create-stack|update-stack|create-change-set)"

    assert set(COMMAND.findall(document.read_text("utf-8"))) <= set(COMMANDS)
    for line in lines:
        if re.search(launched, line):
            assert "--capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM" in line


def test_the_readme_has_every_command() -> None:
    named = re.findall(r"^\| `dt-logs-cfn ([a-z]+)` \|", README.read_text("utf-8"), re.MULTILINE)

    assert named == [*COMMANDS]


def test_customers_find_every_resource_and_output() -> None:
    text = CUSTOMER.read_text("utf-8")
    resources = stack_template(Settings(), Privileges.LEAST_PRIVILEGE).to_dict()["Resources"]

    assert [name for name in (*resources, *ANSWERS) if f"| `{name}` |" not in text] == []


def test_vendors_find_every_file_of_a_release() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| ", VENDOR.read_text("utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall("`([^`]+)`", row)}
    built = {re.sub("/.*", "/", name) for name in build_release(Settings()).files}

    assert built - named == set()


@pytest.mark.parametrize("document", GUIDES, ids=ids)
def test_a_guide_opens_with_who_it_is_for_and_names_this_release(document: Path) -> None:
    _, opening, *_ = document.read_text("utf-8").split("\n\n")

    assert opening.startswith("For ")
    named = re.findall(r"(?:build|release)/(\d+\.\d+\.\d+)/", document.read_text("utf-8"))
    assert set(named) <= {__version__}


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_a_document_has_no_awkward_phrase(document: Path) -> None:
    text = " ".join(prose(document).split())

    assert [text[found.start() - 40 : found.end() + 40] for found in AWKWARD.finditer(text)] == []


def test_help_has_no_awkward_phrase_and_short_sentences(help_text: str) -> None:
    assert (AWKWARD.findall(help_text), long_ones(help_text)) == ([], [])


def test_the_readme_explains_what_is_unknown_after_a_launch() -> None:
    session = (ROOT / "docs" / "operations.md").read_text("utf-8")
    unknown = re.findall(r"^  unknown  (.+?)  ", session, re.MULTILINE)

    assert len(unknown) == 3
    assert [each for each in unknown if f"`{each}`" not in README.read_text("utf-8")] == []


def test_the_readme_is_short_and_has_short_sentences() -> None:
    text = README.read_text("utf-8")

    assert long_ones(prose(README)) == []
    assert len(text.splitlines()) <= 200
    assert len(text.split()) <= 1_800
    named = re.findall(r"(?:build|release)/(\d+\.\d+\.\d+)/", text)
    assert set(named) <= {__version__}


def test_awkward_phrases_and_long_sentences_are_found() -> None:
    assert AWKWARD.search("That is no template of ours, say.")
    assert not AWKWARD.search("There is no template. It is no longer used.")
    assert long_ones("word " * (LONGEST + 1)) and not long_ones("Some words. " * LONGEST)
