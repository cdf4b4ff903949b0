"""The documents agree with what they speak of; cog checks what they quote (`tox -e checks`)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dt_logs_cfn import Settings, build_release
from dt_logs_cfn.cli.main import COMMANDS
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.resources import ANSWERS
from dt_logs_cfn.template.templates import stack_template

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def ids(value: object) -> str:
    return value.name if isinstance(value, Path) else str(value)


def code_blocks(document: Path) -> list[str]:
    """Return the fenced blocks of a document, commands that go on in the next line as one line."""
    return [block.replace("\\\n", " ") for block in CODE_BLOCK.findall(document.read_text("utf-8"))]


def anchors(document: Path) -> set[str]:
    """Return what GitHub calls a document's headings in links."""
    prose = CODE_BLOCK.sub("", document.read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        prose = CODE_BLOCK.sub("", document.read_text("utf-8"))
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if "://" not in target:
                yield document, target


@pytest.mark.parametrize(("document", "target"), [*links()], ids=ids)
def test_a_link_leads_somewhere(document: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    linked = document.parent / path if path else document

    assert linked.exists()
    assert not anchor or anchor in anchors(linked)


def test_the_two_commands_are_what_ci_runs() -> None:
    (block,) = (each for each in code_blocks(README) if "-m venv" in each)
    commands = [part.strip() for line in block.splitlines()[1:-1] for part in line.split("&&")]

    ran = (ROOT / ".ci" / "run").read_text("utf-8").replace("--quiet ", "").splitlines()

    assert len(block.splitlines()[1:-1]) == 2
    for command in commands:
        assert any(line == command or line.startswith(f"{command} ") for line in ran)


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_every_stack_is_launched_with_both_capabilities(document: Path) -> None:
    launched = [
        line
        for block in code_blocks(document)
        for line in block.splitlines()
        if re.search("cloudformation (deploy|create-stack|update-stack|create-change-set)", line)
    ]

    for line in launched:
        assert "--capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM" in line


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_a_command_that_is_named_exists(document: Path) -> None:
    named = re.findall(r"python -m dt_logs_cfn ([a-z]+)", document.read_text("utf-8"))

    assert set(named) <= set(COMMANDS)


def test_the_readme_has_every_command() -> None:
    named = re.findall(r"^\| `python -m dt_logs_cfn ([a-z]+)` \|", README.read_text("utf-8"), re.M)

    assert named == list(COMMANDS)


def test_the_readme_has_every_resource_and_output() -> None:
    text = README.read_text("utf-8")
    resources = stack_template(Settings(), Privileges.LEAST_PRIVILEGE).to_dict()["Resources"]

    assert [name for name in (*resources, *ANSWERS) if f"`{name}`" not in text] == []


def test_the_readme_has_every_file_of_a_release() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| ", README.read_text("utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall("`([^`]+)`", row)}
    built = {re.sub("/.*", "/", name) for name in build_release(Settings()).files}

    assert built - named == set()
