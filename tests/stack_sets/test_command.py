"""`deploy --stack-set` as its caller sees it, against moto over HTTP."""

import argparse
import http.server
import json
import re
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.running import Ran

from dt_logs_cfn import Settings, __version__, build_release
from dt_logs_cfn.commands import deploy
from dt_logs_cfn.errors import DtLogsError, OperatingError, UsageError
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.stack_sets.overrides import assigned, parse_overrides
from dt_logs_cfn.operate.stack_sets.rolling_out import roll_out
from dt_logs_cfn.operate.stack_sets.targets import Block, Instance
from stack_sets.conftest import Aws
from stack_sets.rollouts import IRELAND, OHIO, ONE, TWO, VALUES, template

Run = Callable[..., Ran]
WHERE = ("--accounts", ONE, TWO, "--regions", IRELAND, OHIO)
NAME = "dt-logs-analysis.template.json"
FOLDER = f"build/{__version__}"
TEMPLATE = template(defaults=VALUES)
GIVEN = tuple(f"--parameter={name}={value}" for name, value in VALUES.items())


@pytest.fixture
def run(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run it as `deploy` would; `moto=True` takes a template whose stacks moto can make."""
    for name, value in (
        ("AWS_ENDPOINT_URL", aws.url),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_DEFAULT_REGION", IRELAND),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    released = build_release(Settings()).files
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(released[NAME])

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


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dt-logs-cfn deploy")
    deploy.configure(parser)
    return parser


def test_it_is_shown_and_carried_out_and_then_nothing_is_to_be_done(run: Run, aws: Aws) -> None:
    Path("overrides.csv").write_text(f"account,region,RunToken\n{ONE},{OHIO},7\n")
    words = (*WHERE, "--overrides", "overrides.csv", "--failure-tolerance", "10%", "--yes")
    more = ("--tag", "team=logs", "--parameter", "NotificationEndpoint=https://h.io/x")
    ran = run(*words, *more, moto=True)
    assert ran.err.splitlines()[:8] == [
        "Stack set    all, self-managed, in account 123456789012, region eu-west-1",
        f"Template     for a test, sha256 {TEMPLATE.sha256}",
        f"Targets      2 accounts: {ONE}, {TWO}; in {IRELAND}, {OHIO} (4 stacks)",
        "Preferences  failure tolerance 10%, 1 at once, regions sequential,"
        " STRICT_FAILURE_TOLERANCE",
        "1. create the stack set with NotificationEndpoint=https://h.io/…",
        f"2. create 1 stack: {ONE} in {IRELAND}",
        f"3. create 2 stacks: {TWO} in {IRELAND}, {OHIO}",
        f"4. create 1 stack: {ONE} in {OHIO} with RunToken=7",
    ]
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == (
        f"SUCCEEDED: create 1 stack: {ONE} in {OHIO} with RunToken=7 (1 SUCCEEDED)"
    )
    client = aws.client("cloudformation")
    found = client.list_stack_instances(StackSetName="all")["Summaries"]
    assert len(found) == 4
    tags = client.describe_stack_set(StackSetName="all")["StackSet"]["Tags"]
    assert tags == [{"Key": "team", "Value": "logs"}]
    again = run(*words, "--json", moto=True)
    assert again.code == 0
    assert json.loads(again.out)["operations"] == []
    assert again.err == ("Nothing is to be done: the stack set and its stacks are as asked for.\n")


def test_it_is_told_to_programs(run: Run) -> None:
    ran = run("--accounts", ONE, "--regions", OHIO, "--yes", "--json", moto=True)
    found = json.loads(ran.out)
    assert [(each["does"], each["status"], each["counts"]) for each in found["operations"]] == [
        ("create the stack set with no parameters", "SUCCEEDED", {}),
        (f"create 1 stack: {ONE} in {OHIO}", "SUCCEEDED", {"SUCCEEDED": 1}),
    ]
    assert found["failures"] == []


def test_nothing_is_done_without_a_yes(run: Run, aws: Aws) -> None:
    ran = run(*WHERE, moto=True)
    assert ran.code == 3
    assert ran.err.splitlines()[-1] == (
        "dt-logs-cfn: Nobody is there to confirm this, so nothing was changed."
        " Run it in a terminal, or with --yes."
    )
    assert run(*WHERE, moto=True, ask=lambda question: "no\n").code == 3
    client = aws.client("cloudformation")
    assert client.list_stack_sets()["Summaries"] == []
    assert run(*WHERE, moto=True, ask=lambda question: "y\n").code == 0
    assert len(client.list_stack_instances(StackSetName="all")["Summaries"]) == 4


def test_the_template_on_disk_is_verified_first(run: Run) -> None:
    Path(FOLDER, NAME).write_text(TEMPLATE.text)
    told = run(*WHERE).failure
    assert "does not say which release it is of" in told or "is not what this release" in told


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--regions", OHIO), "--stack-set needs --accounts or --ou"),
        (("--accounts", ONE), "--stack-set needs --regions"),
        (("--accounts", "12", "--regions", OHIO), "'12' is not such a value"),
        (
            (*WHERE, "--exclude-accounts", TWO, "--ou", "r-root"),
            "--accounts and --exclude-accounts do not go together",
        ),
        ((*WHERE, "--exclude-accounts", TWO), "--accounts and --exclude-accounts do not"),
        ((*WHERE, "--call-as", "DELEGATED_ADMIN"), "--call-as needs --ou"),
        ((*WHERE, "--no-auto-deployment"), "--auto-deployment needs --ou"),
        (
            (*WHERE, "--ou", "r-root", "--execution-role-name", "mine"),
            "with --ou the roles are CloudFormation's own",
        ),
        (
            (*WHERE, "--ou", "r-root", "--retain-stacks-on-account-removal"),
            "--retain-stacks-on-account-removal needs --auto-deployment",
        ),
        ((*WHERE, "--max-concurrent", "many"), "'many' is neither N nor N%"),
        ((*WHERE, "--parameter", "RunToken"), "--parameter 'RunToken' has no value"),
        ((*WHERE, "--role-arn", "arn:aws:iam::1:role/r"), "a stack set has no --role-arn"),
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
        ((*WHERE, "--overrides", "none.csv"), "none.csv cannot be read"),
        ((*WHERE, "--release", "none"), f"none/{NAME} cannot be read"),
        ((*WHERE, "--template-url", "http://example.com/t"), "is not https"),
        ((*WHERE, "--privileges", "documented"), "documented.template.json cannot be read"),
        (
            ("--ou", "r-root", "--regions", OHIO, *GIVEN),
            "DescribeOrganization failed with AWSOrganization",
        ),
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


def test_the_template_at_a_url_is_verified_first(run: Run) -> None:
    settings = Settings()
    released = build_release(settings).files[NAME]
    words = (*WHERE, *GIVEN)
    with serving(released) as url:
        ran = run(*words, "--template-url", url)
        assert "Nobody is there to confirm this" in ran.err
        assert f"Template     release {__version__}, least-privilege, {url}, sha256 " in ran.err
    with serving(released.replace(b"128", b"129", 1)) as url:
        ran = run(*words, "--template-url", url)
        assert "release builds: Parameters/ResourceTags/AllowedPattern changed" in ran.failure
    with serving(build_release(settings).files["cloudformation-role.template.json"]) as url:
        ran = run(*words, "--template-url", url)
        assert "is the service role's template" in ran.failure


def test_an_amount_is_shown_as_it_is_written() -> None:
    told = _parser().format_help()
    assert told.count("--failure-tolerance N|N%") == told.count("--max-concurrent N|N%") == 2
    assert "%%" not in told


def test_ctrl_c_leaves_the_operation_running(run: Run, aws: Aws) -> None:
    def interrupted(line: str) -> None:
        if "SUCCEEDED" in line:
            raise KeyboardInterrupt
        _tell(line)

    ran = run("--accounts", ONE, "--regions", OHIO, "--yes", moto=True, tell=interrupted)
    client = aws.client("cloudformation")
    (operation,) = client.list_stack_set_operations(StackSetName="all")["Summaries"]
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == (
        f"Operation {operation['OperationId']} goes on by itself. The same command follows it"
        " again, and so does: `aws cloudformation describe-stack-set-operation --stack-set-name all"
        f" --operation-id {operation['OperationId']}`"
    )


def test_ctrl_c_before_anything_began_is_told_as_that(run: Run, aws: Aws) -> None:
    def interrupted(question: str) -> str:
        raise KeyboardInterrupt

    ran = run(*WHERE, moto=True, ask=interrupted)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-1] == "Nothing was started."
    assert aws.client("cloudformation").list_stack_sets()["Summaries"] == []


def test_ctrl_c_while_somebody_elses_operation_is_waited_for(run: Run, aws: Aws) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    assert run(*WHERE, "--yes", moto=True).code == 0
    theirs = aws.never_ends("all")
    ran = run(*WHERE, "--tag", "a=b", "--yes", moto=True, sleep=interrupted)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[0].startswith(f"operation {theirs} is under way, and one is done")
    assert ran.err.splitlines()[-1] == (
        f"Operation {theirs}, which was under way already, goes on; nothing of this roll-out was"
        " started. The same command waits for it again, and this shows it: `aws cloudformation"
        f" describe-stack-set-operation --stack-set-name all --operation-id {theirs}`"
    )


def test_what_goes_on_in_a_stack_set_of_somebody_else_is_not_waited_for(run: Run, aws: Aws) -> None:
    client = aws.client("cloudformation")
    client.create_stack_set(StackSetName="all", TemplateBody='{"Resources": {}}')
    client.update_stack_set(StackSetName="all", TemplateBody='{"Resources": {}}')
    aws.never_ends("all")
    assert run(*WHERE, "--yes", moto=True).failure == (
        "The stack set all was not made from a template of ours. Choose another name."
    )


def test_reading_many_overrides_is_told(run: Run) -> None:
    accounts = [f"{number:012}" for number in range(300)]
    Path("overrides.csv").write_text("account,RunToken\n" + "".join(f"{a},1\n" for a in accounts))
    words = ("--accounts", *accounts, "--regions", OHIO, "--overrides", "overrides.csv")
    ran = run(*words, moto=True)
    assert (
        ran.err.splitlines()[0] == "reading the overrides of 300 stacks, as far as they are there"
    )


def test_what_cannot_be_followed_any_more_is_told_in_one_line(run: Run, aws: Aws) -> None:
    def gone(line: str) -> None:
        _tell(line)
        if line.startswith("2 of 2: operation"):
            aws.reset()

    slept: list[float] = []
    words = ("--accounts", ONE, "--regions", OHIO, "--yes")
    ran = run(*words, moto=True, tell=gone, sleep=slept.append)
    assert (ran.code, ran.out, slept) == (3, "", [])
    started = re.search("operation ([0-9a-f-]{36})", ran.err)
    assert started is not None
    last = ran.err.splitlines()[-1]
    assert last.startswith(f"dt-logs-cfn: Operation {started[1]} goes on, and cannot be followed: ")
    assert last.endswith(
        "The same command follows it again. So does: `aws cloudformation"
        f" describe-stack-set-operation --stack-set-name all --operation-id {started[1]}`"
    )


def test_no_failure_shows_a_value_that_is_hidden(run: Run, aws: Aws) -> None:
    secret = "https://h.example.com/token"

    def failing(question: str) -> str:
        # AWS's texts are cut, so that a value may be there in part.
        raise OperatingError(f"{secret} or {secret}-else… is refused.", f"Give none of {secret}.")

    ran = run(*WHERE, "--parameter", f"NotificationEndpoint={secret}", moto=True, ask=failing)
    assert (ran.code, "token" in ran.err, "else" in ran.err) == (3, False, False)
    shown = "https://h.example.com/…"
    assert f"{shown} or {shown} is refused. Give none of {shown}." in ran.err


def test_the_screen_is_driven_by_nothing_that_is_there(run: Run, aws: Aws) -> None:
    assert run(*WHERE, "--yes", "--tag", "a=\x9b2J\u202ex", moto=True).code == 0
    ran = run(*WHERE, "--tag", "a=b", "--yes", moto=True)
    assert "     tag a:  2J x -> b" in ran.err.splitlines()
    assert all(line.isprintable() for line in ran.err.splitlines())


@contextmanager
def serving(content: bytes) -> Iterator[str]:
    """Serve this on the loopback."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{NAME}"
        finally:
            server.shutdown()
            thread.join()


def test_the_examples_in_the_docs_hold() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
    (example,) = re.findall(r"^python -m dt_logs_cfn deploy ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    arguments = _parser().parse_args(shlex.split(example.replace("\\\n", " ")))
    assert arguments.ou == ["ou-abcd-11112222"]
    (overrides,) = re.findall(r"^```csv\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rows = parse_overrides(overrides, TEMPLATE.parameters)
    regions = ("eu-west-1", "us-east-1")
    found = assigned(rows, Block(("111122223333", "444455556666"), regions).instances)
    assert found[Instance("111122223333", "us-east-1")] == (("LoadBalancerArns", "*"),)
    assert found[Instance("444455556666", "us-east-1")] == (("LogRetentionDays", "7"),)
    assert len(found) == 4
