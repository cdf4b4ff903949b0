"""`deploy --stack-set` in a fake of StackSets and in moto: it begins each operation only once."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from moto import mock_aws
from support.commands import Ran, Run, run_main

from dt_logs_cfn import Settings, __version__, build_release
from dt_logs_cfn.cli.main import command_parser
from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_cfn.operate.stack_sets.command import advice
from dt_logs_cfn.operate.stack_sets.stack_set import own_reason
from stack_sets.conftest import (
    IRELAND,
    OHIO,
    ONE,
    TEMPLATE,
    THREE,
    TWO,
    VALUES,
    WHERE,
    FakeOperation,
    Terminal,
    error,
    template,
)

UNIT = ("--ou", "ou-abcd-11112222", "--regions", OHIO)
MINE = "arn:aws:iam::111122223333:role/mine"
END = "NotificationEndpoint"
UNREACHABLE = EndpointConnectionError(endpoint_url="https://cloudformation.eu-west-1.example/")
LOST = [
    UNREACHABLE,
    ReadTimeoutError(endpoint_url="https://cloudformation.eu-west-1.example/"),
    ResponseParserError("no XML"),
    error("AnyOtherFault", "any", status=500),
    error("Throttling", "any", "Rate exceeded"),
]


def begun(terminal: Terminal) -> list[str]:
    return [name for name, _ in terminal.fake.begun]


def statuses(terminal: Terminal) -> dict[Any, str]:
    return {place: status for place, (status, _) in terminal.fake.stacks.items()}


def test_a_stack_set_is_created_and_then_only_what_is_missing_is_left_to_do(
    terminal: Terminal,
) -> None:
    assert terminal.run(*WHERE, "--max-concurrent", "10%", tags={"team": "logs"}) == 0
    assert terminal.err[:7] == [
        "Stack set all in here",
        f"Template for a test, sha256 {TEMPLATE.sha256}",
        "1. create the stack set",
        "     DataTheoremAccountId = 999988887777",
        "     LoadBalancerArns = *",
        "     NotificationEndpoint = https://logs.example.com/…",
        f"2. create the stacks that are missing or failed: accounts {ONE}, {TWO}, in {IRELAND},"
        f" {OHIO}",
    ]
    assert terminal.err[-2:] == [f"      {TWO}  {OHIO}  SUCCEEDED", "00:15  SUCCEEDED: 4 SUCCEEDED"]
    assert terminal.fake.parameters == VALUES
    assert terminal.fake.given["Tags"] == [{"Key": "team", "Value": "logs"}]
    assert terminal.fake.given["Capabilities"] == ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
    (_, given) = terminal.fake.begun[1]
    assert given["OperationPreferences"] == {
        "MaxConcurrentPercentage": 10,
        "RegionOrder": (IRELAND, OHIO),
    }
    terminal.seat.lines.clear()

    assert terminal.run(*WHERE, tags={"team": "logs"}) == 0
    assert terminal.err == ["Nothing to do: the stack set and its stacks are as requested."]
    terminal.run("--accounts", ONE, THREE, "--regions", OHIO)
    assert [len(each.results) for each in terminal.fake.operations] == [4, 1]
    assert begun(terminal) == ["CreateStackSet", *["CreateStackInstances"] * 2]
    assert set(statuses(terminal).values()) == {"CURRENT"}


def test_a_units_accounts_are_cloudformations_to_find(terminal: Terminal) -> None:
    terminal.run(*UNIT, "--accounts", TWO, "--call-as", "DELEGATED_ADMIN", "--auto-deployment")
    assert f"failed: units {UNIT[1]}, only accounts {TWO}, in {OHIO}" in "\n".join(terminal.err)
    assert list(statuses(terminal)) == [(TWO, OHIO)]
    assert terminal.fake.given["PermissionModel"] == "SERVICE_MANAGED"
    assert terminal.fake.given["CallAs"] == "DELEGATED_ADMIN"
    assert terminal.fake.given["AutoDeployment"] == {
        "Enabled": True,
        "RetainStacksOnAccountRemoval": False,
    }
    terminal.run(*UNIT, "--no-auto-deployment")
    assert sorted(statuses(terminal)) == [(ONE, OHIO), (TWO, OHIO), (THREE, OHIO)]
    assert terminal.fake.given["AutoDeployment"] == {"Enabled": False}
    assert "     auto-deployment is turned off" in terminal.err


def test_an_update_is_shown_from_old_to_new(terminal: Terminal) -> None:
    tags = {"team": "logs", "cost": "1"}
    terminal.run(*WHERE, "--execution-role-name", "other", tags=tags)
    assert terminal.fake.given["ExecutionRoleName"] == "other"
    terminal.seat.lines.clear()
    changed = {END: f"{VALUES[END]}-2", "LogRetentionDays": "7", "RunToken": ""}
    terminal.run(
        *(*WHERE, "--administration-role-arn", MINE),
        made=template("other"),
        parameters=changed,
        tags={"team": "security", "env": "prod"},
    )
    assert terminal.err[2:10] == [
        "1. update the stack set and its 4 stacks",
        "     the template changes",
        "     NotificationEndpoint: https://logs.example.com/… -> https://logs.example.com/… (the"
        " hidden part changes)",
        "     LogRetentionDays: 30 -> 7",
        "     tag team: logs -> security",
        "     tag env = prod (new)",
        "     tag cost goes",
        "     administration role: None -> arn:aws:iam::111122223333:role/mine",
    ]
    assert terminal.fake.parameters == {**VALUES, **changed}
    assert terminal.fake.given["AdministrationRoleARN"] == MINE
    # An update that does not name the customer's own role keeps it.
    terminal.run(*WHERE, made=template("third"), parameters={})
    (_, given) = terminal.fake.begun[-1]
    assert given["AdministrationRoleARN"] == MINE


def test_what_failed_is_told_with_what_to_do_and_tried_again(terminal: Terminal) -> None:
    """The reason shows no secret, and does not drive the terminal."""
    reason = (
        "ResourceLogicalId:InvokeLambdaFunction, ResourceStatusReason:Received response status"
        " [FAILED] from custom resource. Message returned: web is not here:"
        " https://h/token \x1b[31m\x9b2J\u202e Name another. See the details in CloudWatch Log"
        " Stream: x (RequestId: 1)."
    )
    terminal.fake.fails = lambda place: reason if place == (ONE, OHIO) else ""
    with pytest.raises(DtLogsError) as failed:
        terminal.run(*WHERE)
    assert str(failed.value) == (
        "The roll-out is not complete: 1 failed, 1 not tried. Correct the error that the reason"
        " reports, and run the same command again."
    )
    assert terminal.out.splitlines()[2:] == [
        "",
        "Account       Region          Status     Reason",
        f"{ONE}  us-east-2       FAILED     web is not here: https://h/… [31m 2J Name another.",
        f"{TWO}  us-east-2       CANCELLED  Cancelled since failure tolerance exceeded",
        "",
        "What to do:",
        "- Correct the error that the reason reports, and run the same command again.",
        "- It was not tried. Correct the failed stacks or raise --failure-tolerance, and run"
        " again.",
    ]
    assert "token" not in "".join(terminal.err) and "".join(terminal.err).isprintable()
    terminal.fake.fails = lambda place: ""
    assert terminal.run(*WHERE) == 0
    assert begun(terminal)[2:] == ["CreateStackInstances"]
    assert len(terminal.fake.operations[-1].results) == 2
    assert set(statuses(terminal).values()) == {"CURRENT"}


def test_as_many_may_fail_as_are_tolerated(terminal: Terminal) -> None:
    """AWS gives the reason only on the stack; if it cannot be read, the output says so."""
    terminal.fake.fails = lambda place: "stack: no room" if place[0] == ONE else ""
    with pytest.raises(DtLogsError, match=r"not complete: 2 failed\."):
        terminal.run(*WHERE, "--failure-tolerance", "2", "--json")
    found = json.loads(terminal.out)
    assert [each["status"] for each in found["operations"]] == ["SUCCEEDED"] * 2
    assert found["operations"][1]["counts"] == {"FAILED": 2, "SUCCEEDED": 2}
    reasons = [(each["region"], each["reason"]) for each in found["failures"]]
    assert reasons == [(IRELAND, "stack: no room"), (OHIO, "stack: no room")]
    denied = error("AccessDenied", "ListStackInstances")
    terminal.fake.before = failing("ListStackInstances", None, None, denied)
    with pytest.raises(DtLogsError, match="not complete"):
        terminal.run("--accounts", ONE, "--regions", OHIO)
    assert "      reasons cannot be read (ClientError)" in terminal.err
    assert f"{ONE}  us-east-2       FAILED     none given" in terminal.out.splitlines()


def test_a_long_silence_is_told_and_who_stops_the_operation_makes_it_no_success(
    terminal: Terminal,
) -> None:
    """For two minutes, StackSets reports only that the operation is running."""
    looks = iter(range(24))

    def stopped(operation: FakeOperation) -> None:
        if next(looks, None) is None:
            operation.status = "STOPPED"

    terminal.fake.advance = stopped
    with pytest.raises(DtLogsError, match="The last operation ended as STOPPED"):
        terminal.run("--accounts", ONE, "--regions", OHIO)
    assert terminal.err[-2:] == ["01:00  RUNNING: 1 PENDING", "02:00  STOPPED: 1 PENDING"]


def failing(name: str, *failures: Exception | None) -> Callable[[str], None]:
    """Return a hook that raises the next failure at each call of this name, unless it is None."""
    left = iter(failures)

    def call(called: str) -> None:
        if called == name and (failure := next(left, None)):
            raise failure

    return call


@pytest.mark.parametrize(
    "repeated", ["", "OperationIdAlreadyExistsException", "OperationInProgressException"]
)
@pytest.mark.parametrize("lost", LOST, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("name", ["CreateStackSet", "UpdateStackSet", "CreateStackInstances"])
def test_what_began_and_was_not_answered_begins_once(
    terminal: Terminal, name: str, lost: Exception, repeated: str
) -> None:
    terminal.fake.repeated = repeated
    expected = ["CreateStackSet", "CreateStackInstances"]
    if name == "UpdateStackSet":
        terminal.run(*WHERE)
        expected += ["UpdateStackSet"]
    terminal.fake.after = failing(name, lost, lost)
    assert terminal.run(*WHERE, tags={"team": "logs"}) == 0
    assert begun(terminal) == expected
    assert set(statuses(terminal).values()) == {"CURRENT"}


def test_what_the_sdk_repeated_may_have_begun(terminal: Terminal) -> None:
    refused = error("OperationInProgressException", "CreateStackInstances")
    refused.response["ResponseMetadata"]["RetryAttempts"] = 1
    terminal.fake.after = failing("CreateStackInstances", refused)
    assert terminal.run(*WHERE) == 0
    assert begun(terminal) == ["CreateStackSet", "CreateStackInstances"]


def test_what_may_have_begun_is_told_as_that(terminal: Terminal) -> None:
    terminal.fake.after = failing("CreateStackInstances", UNREACHABLE)
    terminal.fake.before = failing("CreateStackInstances", None, UNREACHABLE, UNREACHABLE)
    with pytest.raises(DtLogsError) as lost:
        terminal.run(*WHERE)
    (operation,) = terminal.fake.operations
    assert lost.value.what.startswith(
        f"Operation {operation.id} may have begun: cloudformation.eu-west-1.example cannot be"
    )
    assert lost.value.fix.endswith(
        " If it has begun, the same command follows it. 1 of 2 steps have ended."
    )


@pytest.mark.parametrize("name", ["DescribeStackSet", "CreateStackSet"])
@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (error("AccessDenied", "any", "no AdministrationRole"), "AWS denies any: no Adm"),
        (NoCredentialsError(), "There are no AWS credentials"),
        (
            error("ValidationError", "any", "You must enable organizations access to operate"),
            "`aws cloudformation activate-organizations-access`",
        ),
    ],
)
def test_what_is_refused_did_not_begin(
    terminal: Terminal, failure: Exception, told: str, name: str
) -> None:
    terminal.fake.before = failing(name, failure)
    with pytest.raises(DtLogsError) as refused:
        terminal.run(*WHERE)
    assert "begun" not in str(refused.value)
    assert told in str(refused.value)
    assert begun(terminal) == []


@pytest.mark.parametrize("name", ["DescribeStackSetOperation", "ListStackSetOperationResults"])
@pytest.mark.parametrize(
    ("failure", "times", "cause"),
    [
        *((each, 3, "") for each in LOST[1:]),
        (UNREACHABLE, 3, "cloudformation.eu-west-1.example cannot be reached"),
        (error("ExpiredToken", "any"), 1, "The credentials have expired."),
        (error("AccessDenied", "DescribeStackSetOperation", "no"), 1, "AWS denies Describe"),
    ],
)
def test_a_lost_connection_is_waited_for_and_at_last_leaves_it_going_on(
    terminal: Terminal, failure: Exception, times: int, cause: str, name: str
) -> None:
    terminal.fake.before = failing(name, None, *[failure] * times)
    with pytest.raises(DtLogsError) as lost:
        terminal.run(*WHERE)
    (operation,) = terminal.fake.operations
    assert operation.status == "RUNNING"
    what = f"Operation {operation.id} continues, but cannot be followed: {cause}"
    assert lost.value.what.startswith(what)

    terminal.fake.before = failing(name, *[failure] * (times - 1))
    assert terminal.run(*WHERE) == 0
    assert f"operation {operation.id} is running; waiting for it first" in terminal.err
    assert begun(terminal) == ["CreateStackSet", "CreateStackInstances"]
    again = f"A call to AWS failed ({type(failure).__name__}); trying again"
    assert terminal.err.count(again) == 2 * (times - 1)


def test_another_operation_that_comes_first_is_told(terminal: Terminal) -> None:
    def theirs(name: str) -> None:
        if name == "CreateStackInstances":
            terminal.fake.operations.append(FakeOperation("theirs", {}, [(ONE, OHIO)]))

    terminal.fake.before = theirs
    with pytest.raises(DtLogsError, match="Another operation has started on the stack set"):
        terminal.run(*WHERE)


FOLLOW = "; run the same command to follow it."


@pytest.mark.parametrize(
    ("where", "told", "begins"),
    [
        ("Do it? [y/N]", "Nothing was started.", 0),
        ("CreateStackSet", "The stack set may have been created, without any stack.", 1),
        ("CreateStackInstances", f"Operation ID may have begun{FOLLOW}", 2),
        ("sleep", f"Operation ID continues by itself{FOLLOW}", 2),
        ("sleep again", "Operation ID continues by itself. Nothing else was started.", 2),
    ],
)
def test_ctrl_c_tells_what_goes_on(terminal: Terminal, where: str, told: str, begins: int) -> None:
    def interrupted(at: object) -> Any:
        """Interrupt the question, call or pause that `where` names."""
        if at == where or (where.startswith("sleep") and isinstance(at, float)):
            raise KeyboardInterrupt

    terminal.fake.after = interrupted
    operator = replace(terminal.seat.operator, ask=interrupted, sleep=interrupted)
    for _ in range(2 if where == "sleep again" else 1):
        with pytest.raises(KeyboardInterrupt):
            terminal.run(*WHERE, operator=operator, yes="?" not in where)
    operation = terminal.fake.operations[0].id if terminal.fake.operations else ""
    assert terminal.err[-1] == told.replace("ID", operation)
    assert len(begun(terminal)) == begins


def test_what_would_fail_is_refused_before_anything_is_begun(terminal: Terminal) -> None:
    for parameters, what in (
        ({**VALUES, "LoadBalancerArns": "arn:aws:x"}, "names load balancers, which belong to"),
        ({"LoadBalancerArns": "*"}, "must have values: DataTheoremAccountId"),
        ({**VALUES, "LogRetentionDays": "x"}, "LogRetentionDays .x. is not valid"),
    ):
        with pytest.raises(DtLogsError, match=what):
            terminal.run(*WHERE, parameters=parameters)
    assert begun(terminal) == []


def test_a_stack_set_of_somebody_else_or_of_another_kind_is_refused(terminal: Terminal) -> None:
    terminal.client.create_stack_set(
        StackSetName="all", TemplateBody='{"Resources": {}}', Parameters=[], ClientRequestToken="x"
    )
    with pytest.raises(DtLogsError, match="was not made from one of our templates"):
        terminal.run(*WHERE)
    terminal.fake.given = {}
    terminal.run(*WHERE)
    with pytest.raises(DtLogsError, match="is SELF_MANAGED, but these targets need"):
        terminal.run(*UNIT)


def test_a_reason_gets_its_advice() -> None:
    for reason, fix in {
        "Account 1 should have 'X' role with trust relationship to Role 'Y'": "In that account, cr",
        "Resource is denied with an explicit deny in a service control policy": "Ask whoever",
        "User: arn:aws:sts::1 is not authorized to perform: lambda:CreateF": "Give the exe",
        "The security token included in the request is invalid": "Enable the region",
        "Cancelled since failure tolerance has exceeded": "It was not tried",
        "web is no load balancer.": "Correct the error that",
    }.items():
        assert advice(reason).startswith(fix)
    assert own_reason("ResourceLogicalId:X, ResourceStatusReason:no\nroom.") == "no room"


ROOT = ("--ou", "r-root", "--regions", OHIO)
DOCUMENTED = ("--privileges", "documented")
NAME = "dt-logs-analysis.template.json"
FOLDER = f"build/{__version__}"
PLAIN = template(defaults=VALUES)  # the tests in moto need not set them all
RELEASED = build_release(Settings()).files
GIVEN = tuple(f"--parameter={name}={value}" for name, value in VALUES.items())
Client = Callable[[str], Any]


@pytest.fixture
def moto() -> Iterator[Client]:
    """Return a function that makes a client of an empty account in moto."""
    with mock_aws():
        yield lambda name: boto3.client(name, region_name=IRELAND)


@pytest.fixture
def run(
    moto: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Return a function that runs `deploy --stack-set all` as from a shell, beside a release."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", IRELAND)
    monkeypatch.chdir(tmp_path)
    Path(FOLDER).mkdir(parents=True)
    Path(FOLDER, NAME).write_bytes(RELEASED[NAME])
    return lambda *words: run_main(("deploy", "--stack-set", "all", *words), capsys)


def test_it_is_carried_out_after_a_yes_and_then_nothing_is_left_to_do(
    moto: Client, terminal: Terminal
) -> None:
    client = terminal.client = moto("cloudformation")

    def deployed(token: str = "7", yes: bool = True, answer: str | None = None) -> int:
        operator = replace(terminal.seat.operator, ask=lambda _: answer)
        return terminal.run(
            *(*WHERE, "--failure-tolerance", "10%"),
            made=PLAIN,
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
    assert stack_set["TemplateBody"] == PLAIN.text
    assert deployed() == 0
    assert terminal.err[-1] == "Nothing to do: the stack set and its stacks are as requested."
    assert deployed("8") == 0
    (value,) = client.describe_stack_set(StackSetName="all")["StackSet"]["Parameters"]
    assert value["ParameterValue"] == "8"


def test_a_unit_of_an_organization(moto: Client, terminal: Terminal) -> None:
    organizations, client = moto("organizations"), moto("cloudformation")
    terminal.client = client
    organizations.create_organization(FeatureSet="ALL")
    root = organizations.list_roots()["Roots"][0]["Id"]
    unit = organizations.create_organizational_unit(ParentId=root, Name="prod")
    unit_id = unit["OrganizationalUnit"]["Id"]
    made = organizations.create_account(AccountName="a", Email="a@example.com")
    account = made["CreateAccountStatus"]["AccountId"]
    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit_id)
    words = ("--ou", unit_id, "--regions", IRELAND, OHIO)
    assert terminal.run(*words, made=PLAIN, parameters={}) == 0
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
        ((*ROOT, "--execution-role-name=x"), "role-name cannot be combined with --ou", 2),
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


def test_a_roll_outs_options_are_for_a_stack_set_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (WHERE, ROOT[:2], ("--failure-tolerance", "1"), ("--no-auto-deployment",)):
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
