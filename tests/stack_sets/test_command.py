"""`deploy --stack-set` as its caller sees it, against moto over HTTP."""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.running import Ran

from dt_logs_cfn import Settings, __version__, build_release
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.commands import deploy
from dt_logs_cfn.errors import DtLogsError, UsageError
from dt_logs_cfn.operate.stack_sets.command import roll_out
from stack_sets.conftest import Aws
from stack_sets.rollouts import IRELAND, OHIO, ONE, TWO, VALUES, template

Run = Callable[..., Ran]
WHERE = ("--accounts", ONE, TWO, "--regions", IRELAND, OHIO)
UNIT = ("--ou", "r-root", "--regions", OHIO)
DOCUMENTED = ("--privileges", "documented")
NAME = "dt-logs-analysis.template.json"
FOLDER = f"build/{__version__}"
TEMPLATE = template(defaults=VALUES)
RELEASED = build_release(Settings()).files
GIVEN = tuple(f"--parameter={name}={value}" for name, value in VALUES.items())


@pytest.fixture
def run(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs `deploy --stack-set`; `moto=True` uses a template for moto."""
    for name, value in (
        ("AWS_ENDPOINT_URL", aws.url),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_DEFAULT_REGION", IRELAND),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(RELEASED[NAME])

    def run(*words: str, moto: bool = False, **operator: Any) -> Ran:
        try:
            arguments = _parser().parse_args(["--stack-set", "all", *words])
            if moto:
                given = dict(each.split("=", 1) for each in arguments.parameter)
                tags = dict(each.split("=", 1) for each in arguments.tag)
                who = Operator(**operator)
                code = roll_out(arguments, TEMPLATE, given, tags, who)
            else:
                code = deploy.run(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
        except KeyboardInterrupt:
            code = 130
        except DtLogsError as error:
            print(f"dt-logs-cfn: {error}", file=sys.stderr)
            code = 2 if isinstance(error, UsageError) else 3
        return Ran(code, *capsys.readouterr())

    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dt-logs-cfn deploy")
    deploy.configure(parser)
    return parser


def test_it_is_carried_out_after_a_yes_and_then_nothing_is_left_to_do(run: Run, aws: Aws) -> None:
    words = (*WHERE, "--failure-tolerance", "10%", "--tag", "team=logs")
    ran, client = run(*words, moto=True), aws.client("cloudformation")
    assert ran.code == 3
    assert ran.err.splitlines()[-1] == (
        "dt-logs-cfn: Not a terminal, so I cannot ask for confirmation; nothing was changed."
        " Run it in a terminal, or with --yes."
    )
    assert run(*words, moto=True, ask=lambda question: "no\n").code == 3
    assert client.list_stack_sets()["Summaries"] == []
    ran = run(*words, "--parameter", "RunToken=7", moto=True, ask=lambda question: "y\n")
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "SUCCEEDED: create the stack set",
        f"SUCCEEDED: create the stacks that are missing or failed: accounts {ONE}, {TWO},"
        f" in {IRELAND}, {OHIO} (4 SUCCEEDED)",
    ]
    assert len(client.list_stack_instances(StackSetName="all")["Summaries"]) == 4
    stack_set = client.describe_stack_set(StackSetName="all")["StackSet"]
    assert stack_set["Tags"] == [{"Key": "team", "Value": "logs"}]
    assert stack_set["TemplateBody"] == TEMPLATE.text
    again = run(*words, "--yes", "--json", moto=True)
    assert (again.code, json.loads(again.out)["operations"]) == (0, [])
    assert again.err == "Nothing to do: the stack set and its stacks are as requested.\n"
    assert run(*words, "--yes", "--parameter", "RunToken=8", moto=True).code == 0
    (value,) = client.describe_stack_set(StackSetName="all")["StackSet"]["Parameters"]
    assert value["ParameterValue"] == "8"


def test_a_unit_of_an_organization(run: Run, aws: Aws) -> None:
    organizations, client = aws.client("organizations"), aws.client("cloudformation")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="prod")
    unit_id = unit["OrganizationalUnit"]["Id"]
    made = organizations.create_account(AccountName="a", Email="a@example.com")
    account = made["CreateAccountStatus"]["AccountId"]
    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit_id)
    assert run("--ou", unit_id, "--regions", IRELAND, OHIO, "--yes", moto=True).code == 0
    found = client.list_stack_instances(StackSetName="all")["Summaries"]
    assert sorted((each["Account"], each["Region"]) for each in found) == [
        (account, IRELAND),
        (account, OHIO),
    ]


def test_the_template_is_verified_first(run: Run) -> None:
    def told(content: bytes) -> Ran:
        Path(FOLDER, NAME).write_bytes(content)
        return run(*WHERE, *GIVEN, "--release", FOLDER)

    ran = told(RELEASED[NAME])
    assert "I cannot ask for confirmation" in ran.err
    assert f"Template release {__version__}, least-privilege, {FOLDER}/{NAME}, sha256 " in ran.err
    failure = told(RELEASED[NAME].replace(b"128", b"129", 1)).failure
    assert "release builds: Parameters/ResourceTags/AllowedPattern changed" in failure
    failure = told(RELEASED["cloudformation-role.template.json"]).failure
    assert "is the service role's template" in failure


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--regions", OHIO), "--stack-set needs --accounts or --ou"),
        (("--accounts", ONE), "--stack-set needs --regions"),
        (("--accounts", "12", "--regions", OHIO), "'12' is not valid. Give 12 digits."),
        ((*WHERE, "--call-as", "DELEGATED_ADMIN"), "--call-as needs --ou"),
        ((*WHERE, "--no-auto-deployment"), "--auto-deployment needs --ou"),
        ((*UNIT, "--execution-role-name", "mine"), "--execution-role-name does not go with --ou"),
        ((*WHERE, "--max-concurrent", "many"), "'many' is not valid. Give a number, or a percen"),
        ((*WHERE, "--parameter", "RunToken"), "--parameter 'RunToken' has no value"),
        ((*WHERE, "--role-arn", "arn:aws:iam::1:role/r"), "a stack set has no --role-arn"),
        ((*WHERE, "--add-load-balancer", "a"), "a stack set has no list of load balancers"),
    ],
)
def test_wrong_usage_is_told_as_such(run: Run, words: tuple[str, ...], what: str) -> None:
    ran = run(*words)
    assert ran.code == 2
    assert what in ran.err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((*WHERE, "--parameter", "A=1"), "The template has no parameter 'A'."),
        ((*WHERE, "--release", "none"), f"none/{NAME} cannot be read"),
        ((*WHERE, "--template-url", "http://example.com/t"), "is not https"),
        ((*WHERE, "--release", FOLDER, *DOCUMENTED), "documented.template.json cannot be read"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(run: Run, words: tuple[str, ...], what: str) -> None:
    ran = run(*words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert what in ran.err


@pytest.mark.parametrize(
    "words",
    [WHERE, ("--ou", "r-root"), ("--failure-tolerance", "1"), ("--no-auto-deployment",)],
    ids=str,
)
def test_a_roll_outs_options_are_for_a_stack_set_alone(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        deploy.run(_parser().parse_args(words))
    assert "needs --stack-set" in capsys.readouterr().err


def test_an_amount_is_shown_as_it_is_written() -> None:
    told = _parser().format_help()
    assert told.count("--failure-tolerance N|N%") == told.count("--max-concurrent N|N%") == 2
    assert "%%" not in told


def test_the_example_in_the_docs_holds() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    (example,) = re.findall(r"^dt-logs-cfn deploy ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    arguments = _parser().parse_args(shlex.split(example.replace("\\\n", " ")))
    assert arguments.ou == ["ou-abcd-11112222"]
