"""`deploy --stack-set` as its caller sees it, against moto over HTTP."""

import re
import shlex
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from support.commands import Ran, Run, run_main

from dt_logs_cfn import Settings, __version__, build_release
from dt_logs_cfn.cli.main import command_parser
from dt_logs_cfn.errors import OperatingError
from stack_sets.conftest import IRELAND, OHIO, ONE, TWO, VALUES, WHERE, Terminal, template

UNIT = ("--ou", "r-root", "--regions", OHIO)
DOCUMENTED = ("--privileges", "documented")
NAME = "dt-logs-analysis.template.json"
FOLDER = f"build/{__version__}"
TEMPLATE = template(defaults=VALUES)  # moto does not take values for parameters
RELEASED = build_release(Settings()).files
GIVEN = tuple(f"--parameter={name}={value}" for name, value in VALUES.items())


@dataclass(frozen=True)
class Aws:
    """An account in moto, over HTTP on the loopback."""

    url: str

    def client(self, name: str) -> Any:
        client: Any = boto3.Session("id", "key", region_name=IRELAND).client
        return client(name, endpoint_url=self.url)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    found = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    found.start()
    host, port = found.get_host_and_port()
    yield f"http://{host}:{port}"
    found.stop()


@pytest.fixture
def aws(server: str) -> Aws:
    """Return an empty account."""
    reset = urllib.request.Request(f"{server}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    return Aws(server)


@pytest.fixture
def run(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs `deploy --stack-set all` as from a shell, beside a release."""
    for name, value in (
        ("AWS_ENDPOINT_URL", aws.url),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_DEFAULT_REGION", IRELAND),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    Path(FOLDER).mkdir(parents=True)
    Path(FOLDER, NAME).write_bytes(RELEASED[NAME])
    return lambda *words: run_main(("deploy", "--stack-set", "all", *words), capsys)


def test_it_is_carried_out_after_a_yes_and_then_nothing_is_left_to_do(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    client, terminal = aws.client("cloudformation"), Terminal(capsys, aws.client("cloudformation"))

    def deployed(token: str = "7", yes: bool = True, answer: str | None = None) -> int:
        operator = replace(terminal.seat.operator, ask=lambda _: answer)
        return terminal.run(
            *(*WHERE, "--failure-tolerance", "10%"),
            made=TEMPLATE,
            parameters={"RunToken": token},
            tags={"team": "logs"},
            operator=operator,
            yes=yes,
        )

    for answer, refusal in ((None, "Not a terminal, so I"), ("n", "was not confirmed")):
        with pytest.raises(OperatingError, match=refusal):
            deployed(yes=False, answer=answer)
    assert client.list_stack_sets()["Summaries"] == []
    assert deployed(yes=False, answer="y") == 0
    assert terminal.out.splitlines() == [
        "SUCCEEDED: create the stack set",
        f"SUCCEEDED: create the stacks that are missing or failed: accounts {ONE}, {TWO},"
        f" in {IRELAND}, {OHIO} (4 SUCCEEDED)",
    ]
    assert len(client.list_stack_instances(StackSetName="all")["Summaries"]) == 4
    stack_set = client.describe_stack_set(StackSetName="all")["StackSet"]
    assert stack_set["Tags"] == [{"Key": "team", "Value": "logs"}]
    assert stack_set["TemplateBody"] == TEMPLATE.text
    assert deployed() == 0
    assert terminal.err[-1] == "Nothing to do: the stack set and its stacks are as requested."
    assert deployed("8") == 0
    (value,) = client.describe_stack_set(StackSetName="all")["StackSet"]["Parameters"]
    assert value["ParameterValue"] == "8"


def test_a_unit_of_an_organization(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    organizations, client = aws.client("organizations"), aws.client("cloudformation")
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="prod")
    unit_id = unit["OrganizationalUnit"]["Id"]
    made = organizations.create_account(AccountName="a", Email="a@example.com")
    account = made["CreateAccountStatus"]["AccountId"]
    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit_id)
    words = ("--ou", unit_id, "--regions", IRELAND, OHIO)
    assert Terminal(capsys, client).run(*words, made=TEMPLATE, parameters={}) == 0
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
    failure = told(RELEASED[NAME].replace(b"128", b"129", 1)).refusal
    assert "release builds: Parameters/ResourceTags/AllowedPattern changed" in failure
    failure = told(RELEASED["cloudformation-role.template.json"]).refusal
    assert "is the service role's template" in failure


@pytest.mark.parametrize(
    ("words", "what", "code"),
    [
        (("--regions", OHIO), "--stack-set needs --accounts or --ou", 2),
        (("--accounts", ONE), "--stack-set needs --regions", 2),
        (("--accounts", "12", "--regions", OHIO), "'12' is not valid. Give 12 digits.", 2),
        ((*WHERE, "--call-as", "DELEGATED_ADMIN"), "--call-as needs --ou", 2),
        ((*WHERE, "--no-auto-deployment"), "--auto-deployment needs --ou", 2),
        (
            (*UNIT, "--execution-role-name", "mine"),
            *("--execution-role-name cannot be combined with --ou", 2),
        ),
        ((*WHERE, "--max-concurrent", "many"), "'many' is not valid. Give a number, or a perc", 2),
        ((*WHERE, "--parameter", "RunToken"), "--parameter 'RunToken' has no value", 2),
        ((*WHERE, "--parameter", "A=1"), "The template has no parameter 'A'.", 2),
        ((*WHERE, "--role-arn", "arn:aws:iam::1:role/r"), "a stack set has no --role-arn", 2),
        ((*WHERE, "--add-load-balancer", "a"), "a stack set has no list of load balancers", 2),
        ((*WHERE, "--release", "none"), f"none has no {NAME}, so it is not the folder of a", 3),
        ((*WHERE, "--template-url", "http://example.com/t"), "is not https", 3),
        ((*WHERE, "--release", FOLDER, *DOCUMENTED), "no dt-logs-analysis-documented.template", 3),
    ],
)
def test_what_cannot_be_is_told(run: Run, words: tuple[str, ...], what: str, code: int) -> None:
    ran = run(*words)
    assert (ran.code, ran.out) == (code, "")
    assert what in (ran.err if code == 2 else ran.refusal)


@pytest.mark.parametrize(
    "words",
    [WHERE, ("--ou", "r-root"), ("--failure-tolerance", "1"), ("--no-auto-deployment",)],
    ids=str,
)
def test_a_roll_outs_options_are_for_a_stack_set_alone(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    ran = run_main(("deploy", *words), capsys)
    assert (ran.code, "needs --stack-set" in ran.err) == (2, True)


def test_an_amount_is_shown_as_it_is_written() -> None:
    told = command_parser("deploy").format_help()
    assert told.count("--failure-tolerance N|N%") == told.count("--max-concurrent N|N%") == 2
    assert "%%" not in told


def test_the_example_in_the_docs_holds() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    (example,) = re.findall(r"^dt-logs-cfn deploy ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    arguments = command_parser("deploy").parse_args(shlex.split(example.replace("\\\n", " ")))
    assert arguments.ou == ["ou-abcd-11112222"]
