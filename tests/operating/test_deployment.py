"""Which parameter values are refused, and how a deployment shows and counts its changes."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from operating.accounts import HERE, template, values
from support.events import ACCOUNT

from dt_logs_cfn.errors import OperatingError, UsageError
from dt_logs_cfn.operate.plans.asked import new_stack
from dt_logs_cfn.operate.plans.diff import PlannedChange
from dt_logs_cfn.operate.stack_options import changed
from dt_logs_cfn.operate.stacks.deployment import Deployment, Dropped
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription
from dt_logs_cfn.operate.templates import Template
from dt_logs_cfn.operate.values import check, check_given, check_place, pairs, read

TEMPLATE = template()
BALANCER = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:loadbalancer/app/web/0123456789abcdef"
IRISH, CHINESE = (
    BALANCER.replace("us-east-1", "eu-west-1"),
    f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:q",
)
NET, BALANCERS = BALANCER.replace("/app", "/net"), "LoadBalancerArns"
END = "NotificationEndpoint"
GIVEN = {
    "LoadBalancerArns": BALANCER,
    "DataTheoremAccountId": "999988887777",
    "NotificationEndpoint": "https://logs.example.com/in?token=SECRET",
}


def refusal(call: Any, *given: Any) -> str:
    with pytest.raises((OperatingError, UsageError)) as error:
        call(*given)
    assert "SECRET" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("copied", "told"),
    [
        (f'"{BALANCER}"', f"""'"{BALANCER}"' contains quotes or blanks. Give {BALANCER}."""),
        (f"{BALANCER},'{BALANCER}'", "contains quotes or blanks. Give arn:aws:elastic"),
        (f"\u201c{BALANCER}\u201d", f"contains quotes or blanks. Give {BALANCER}."),
        (BALANCER.replace("/app", "/ app"), f"contains quotes or blanks. Give {BALANCER}."),
        (BALANCER[:-1], f"'{BALANCER[:-1]}' is cut off. Give the whole ARN"),
        (BALANCER[:-17], "is cut off."),
        (BALANCER[:-20], "is cut off."),
        (BALANCER[: BALANCER.index("/app")], "is cut off."),
    ],
)
def test_an_arn_that_was_copied_badly_is_told_with_what_is_wrong(copied: str, told: str) -> None:
    assert told in refusal(check_given, {"LoadBalancerArns": copied})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["a"], "--tag 'a' has no value."),
        (["=a"], "--tag number 1 has no key."),
        (["a=1", "a=2"], "--tag 'a' is given twice."),
        (["a=1", "b2", "c"], "--tag number 2 has no value."),
        (["cost-center=1", "cost-center=2"], "--tag number 2 is given twice."),
        (["SECRET" * 3], "--tag number 1 has no value."),
        (["https://a.example.com/?t"], "--tag number 1 has no value."),
        (["a=\udcff"], "--tag 'a' is not text in UTF-8."),
    ],
)
def test_options_are_complete_and_name_each_key_once(given: list[str], told: str) -> None:
    assert refusal(pairs, given, "--tag").startswith(told)
    assert pairs(["a=b=c", "d="], "--tag") == {"a": "b=c", "d": ""}


TOKENS = (
    *("abcdefghijklm", "LdGkWtbQYtdHhlMnoP", "hunter2", "dG9rZW4tb2YtdGhl", "RunTokenhk39dkw0"),
    *("NotificationEndpoint:dG9rZW4", "https://a.example.com/x", "a\x1b[2J", "x" * 100_000),
)
NAMES = (
    *("Nope", "LoadBalencerArns", "RunToken2", "abcdefghijkl", "LogBucketRegion"),
    "EnableALBConnectionLogs",
)


@pytest.mark.parametrize("name", [*NAMES, *TOKENS], ids=range(15))
def test_a_name_is_shown_unless_it_may_be_a_token(name: str) -> None:
    shown = name in NAMES
    told = refusal(check, TEMPLATE, {**GIVEN, name: "1"}, {})
    assert told.startswith(
        f"The template has no parameter {name!r}."
        if shown
        else f"The template has no parameter by the given name, which may be a token and is hidden:"
        f" {len(name)} characters, beginning with {name[0]!r}. "
    )
    assert (name in told) is shown
    assert told.endswith("Did you mean NotificationEndpoint?") is name.startswith("Notif")


ENTRIES = [
    {"ParameterKey": "a", "ParameterValue": "b"},
    {"ParameterKey": "n", "ParameterValue": "1"},
    {"ParameterKey": "l", "ParameterValue": "x,y"},
    {"ParameterKey": "kept", "UsePreviousValue": True},
]


def test_files_are_the_aws_cli_s_or_objects(tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    for taken in ({"a": "b", "n": "1", "l": "x,y"}, {"a": "b", "n": 1, "l": ["x", "y"]}, ENTRIES):
        file.write_text(json.dumps(taken))
        assert read(file) == {"a": "b", "n": "1", "l": "x,y"}
    for wrong in (
        *(7, [1], [{"ParameterKey": "a"}], {"a": None}, {"a": True}, {"a": {"b": "c"}}),
        *([ENTRIES[0]] * 2, "{", "[" * 100_000, '{"a": "1", "a": "2"}', "x" * 1_000_001, "\x00"),
    ):
        file.write_text(wrong if isinstance(wrong, str) else json.dumps(wrong))
        assert "is not a file of parameters" in refusal(read, file), wrong


def test_a_pipe_is_read_and_one_that_nothing_writes_to_is_told(tmp_path: Path) -> None:
    out, into = os.pipe()
    os.write(into, b'{"a": "1"}')
    os.close(into)
    os.mkfifo(tmp_path / "pipe")
    assert read(Path(f"/dev/fd/{out}")) == {"a": "1"}
    told = "pipe cannot be read: it is a pipe that nothing writes to. Give a file of parameters"
    assert told in refusal(read, tmp_path / "pipe")
    assert "No such file or directory" in refusal(read, tmp_path / "none.json")
    os.close(out)


def test_what_a_stack_has_need_not_be_given_and_the_rest_is_named_at_once() -> None:
    assert check(TEMPLATE, GIVEN, {}) == check(TEMPLATE, {}, GIVEN)
    whole = check(TEMPLATE, {"RunToken": "2"}, {**GIVEN, "OfAnOlderRelease": "x"})
    assert (whole["RunToken"], whole["LogRetentionDays"]) == ("2", "30")
    assert "OfAnOlderRelease" not in whole
    told = refusal(check, TEMPLATE, GIVEN, {"LogRetentionDays": "0"})
    assert told == "LogRetentionDays '0' is not valid. It takes 1 to 36500."
    assert refusal(check, TEMPLATE, {}, {}).endswith(
        "in a file with --parameters. Use --load-balancer ARN for LoadBalancerArns."
    )
    assert refusal(check, TEMPLATE, {"LoadBalancerArns": "*"}, {}) == (
        "These parameters must have values: DataTheoremAccountId, NotificationEndpoint. Give each"
        " with --parameter NAME=VALUE, or in a file with --parameters."
    )


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ResourceTags", ",".join(["k=v"] * 1100), "ResourceTags has 4,399 bytes, but a parameter"),
        ("LoadBalancerArns", ",".join([BALANCER] * 60), "bytes, but a parameter can have"),
        ("DataTheoremAccountId", "1", "DataTheoremAccountId '1' is not valid. It takes: 12"),
        (END, "http://me:SECRET@l.example.com/SECRET", f"{END} 'http://l.example.com/…' is not v"),
        (END, "logs.example.com/SECRET", f"{END} '…' is not valid. It takes: An https URL"),
        (END, "arn:aws:sqs:us-east-1:1:q", f"{END} 'arn:aws:sqs:us-east-1:1:q' is not valid."),
        (BALANCERS, f"{BALANCER}, {BALANCER}0", f"{BALANCERS} '{BALANCER}0' is not valid. It t"),
        (BALANCERS, NET, f"'{NET}' is a network load balancer. Give application load balancers;"),
        (BALANCERS, "a", f"{BALANCERS} 'a' is not valid. It takes: ARNs (arn:..."),
        ("LogBucketName", "My_Bucket", "It takes: 3 to 63 lower-case letters, digits, dots and"),
        ("RefreshSchedule", "rate(1 hours)", "rate(1 hour/day), rate(N hours/days); empty: never"),
        ("VendorReadScope", "All", "It takes LoadBalancer or Location."),
        ("LogRetentionDays", "0", "It takes 1 to 36500."),
        ("LogRetentionDays", "ten", "It takes 1 to 36500."),
        ("RunToken", "x" * 129, "It takes up to 128 characters."),
        ("RunToken", "\udcff", "The value of RunToken is not text in UTF-8."),
        ("RunTokens", "x", "Did you mean RunToken?"),
        ("Q", "x", "Use one of DataTheoremAccountId, "),
    ],
)
def test_what_cloudformation_would_refuse_is_refused_here(name: str, value: str, told: str) -> None:
    assert told in refusal(check, TEMPLATE, {**GIVEN, name: value}, {})


def test_a_load_balancer_of_another_place_is_told_with_both() -> None:
    for account, region, told in (
        (ACCOUNT, "eu-west-1", "us-east-1, but you work in eu-west-1. Give --region us-ea"),
        ("1" * 12, "us-east-1", f"account {ACCOUNT}, but you work in account 1111"),
    ):
        here = new_stack("aws", region, account)
        assert f"'{BALANCER}' is in {told}" in refusal(check_place, f"*,{BALANCER}", here)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"Nope": "1"}, "The template has no parameter 'Nope'."),
        ({"ResourceTags": "a=1,a=2"}, "ResourceTags 'a=2' is not valid. Give at most 40 tags"),
        ({BALANCERS: f"{BALANCER},{IRISH}"}, f"{IRISH}' is not valid. Give the"),
        ({BALANCERS: BALANCER, END: CHINESE}, "queue of partition aws"),
    ],
)
def test_before_aws_is_asked_only_what_is_wrong_everywhere_is_refused(
    given: dict[str, str], told: str
) -> None:
    assert told in refusal(check_given, given)
    for right in (
        *({}, {BALANCERS: "*"}, {"DataTheoremAccountId": "111111111111"}, {END: CHINESE}),
        {"LogBucketName": "logs-123456789012-eu-west-1-an"},
        {BALANCERS: IRISH, "LogBucketName": "logs-123456789012-eu-west-1-an"},
    ):
        check_given(right)


DECLARED = {name: {"Type": "String", "Default": ""} for name in (END, "Same", "New")}
BEFORE = StackDescription(
    id="arn:aws:cloudformation:us-east-1:123456789012:stack/s/1",
    name="s",
    status="CREATE_COMPLETE",
    role="",
    parameters={END: "https://a.example.com/?t=ONE", "Old": "x", "Same": "y"},
    tags={"cost": "7", "team": "edge"},
    outputs={},
)


def role(*actions: object) -> dict[str, Any]:
    statements = [{"Effect": "Allow", "Action": each, "Resource": "*"} for each in actions]
    document = {"Version": "2012-10-17", "Statement": statements}
    policies = [{"PolicyName": "P", "PolicyDocument": document}]
    return {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}}


NO_ROLE = {**role("ec2:A"), "Type": "Custom::B"}


def deployment(before: Existing | None, role: object, **tags: str) -> Deployment:
    body = {"Parameters": DECLARED, "Resources": {"Role": role, "B": NO_ROLE}}
    given = {END: "https://a.example.com/?t=TWO"}
    return Deployment(
        "s", HERE, Template(json.dumps(body), "release 1"), given, tags, before=before
    )


def resource(action: str, name: str, kind: str, replacement: str = "", *properties: str) -> Any:
    """Return a change in CloudFormation's format; a property may be repeated, or lack a name."""
    targets = [{"Attribute": "Properties", "Name": each} for each in properties]
    return {
        "Action": action,
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Replacement": replacement,
        "Details": [*({"Target": each} for each in (*targets, {"Attribute": "Tags"})), {}],
    }


def test_an_update_is_shown_from_old_to_new() -> None:
    changes = (
        resource("Modify", "Invoke", "Custom::A", "False", "Do", "More", "Do"),
        resource("Modify", "Role", "AWS::IAM::Role", "True", "Path"),
        resource("Modify", "Other", "AWS::IAM::Role", "Conditional"),
        resource("Remove", "Group", "AWS::Logs::LogGroup"),
    )
    resources = {"Role": role("s3:B"), "B": NO_ROLE}
    before = Existing(BEFORE, {"Parameters": DECLARED, "Resources": resources})
    shown = deployment(before, role("s3:B", "s3:A"), cost="8", new="x\x1b[2J")
    assert [*shown.told(changes)] == [
        "update stack s in account 123456789012, us-east-1",
        "  template  release 1",
        "  through   WARNING: your own permissions, without a service role",
        "  Resources",
        "    ~ Invoke  Custom::A  (Do, More, Tags)",
        "    ! Role  AWS::IAM::Role  (replaced; Path, Tags)",
        "    ! Other  AWS::IAM::Role  (perhaps replaced; Tags)",
        "    - Group  AWS::Logs::LogGroup  (Tags)",
        "  Parameters",
        "    NotificationEndpoint: https://a.example.com/… -> https://a.example.com/… (the hidden"
        " part changes)",
        "    New = empty (new)",
        "    Old goes",
        "  Tags",
        "    cost: 7 -> 8",
        "    new = x [2J (new)",
        "  Template",
        "    Role: right added: s3:A on *",
    ]
    kept = Existing(replace(BEFORE, role="arn:role"), before.template)
    assert "  through   arn:role" in [*deployment(kept, role("s3:B")).told(())]


def test_of_a_new_stack_rights_are_counted() -> None:
    found = role("s3:A", ["s3:B", "sns:C"])
    policy: Any = found["Properties"]["Policies"][0]["PolicyDocument"]
    first, *others = policy["Statement"]
    policy["Statement"] = [{"Fn::If": ["C", first, {"Ref": "AWS::NoValue"}]}, *others]
    shown = "\n".join(deployment(None, found, team="edge").told(()))
    assert "  Tags\n    team = edge" in shown
    assert "  Permissions of the Lambda's role\n    s3: 2, sns: 1" in shown


WHOLE = values("*", ResourceTags="a=b")
EXISTING = Existing(
    StackDescription("arn:stack", "s", "CREATE_COMPLETE", "", WHOLE, {}, {}), template()
)


def change(to: object, given: dict[str, str]) -> PlannedChange | None:
    """Return the change that gives the stack this template and these parameters, if any."""
    return Deployment("s", HERE, Template(json.dumps(to)), given, before=EXISTING).as_change()


def edited(*path: str, to: Any) -> dict[str, Any]:
    """Return the template with another value at a path."""
    found = place = template()
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return found


@pytest.mark.parametrize(
    ("path", "to", "counts"),
    [
        (("Description",), "other words", False),
        (("Metadata", "DTLogsAnalysis", "Settings"), {"aws": {"base_url": "https://x/"}}, False),
        (("Parameters", "RunToken", "Description"), "other words", False),
        (("Conditions", "More"), {"Fn::Equals": ["a", "a"]}, False),
        (("Conditions", "HasLogBucketName"), {"Fn::Equals": ["a", "a"]}, True),
        (("Outputs", "More"), {"Value": "7"}, True),
        (("Resources", "DTLogsAnalysisLambdaFunction", "Properties", "Timeout"), 60, True),
    ],
)
def test_words_alone_are_no_change(path: tuple[str, ...], to: Any, counts: bool) -> None:
    assert (change(edited(*path, to=to), {}) is not None) is counts


def test_space_in_a_list_is_no_change() -> None:
    assert change(template(), {"ResourceTags": " a=b "}) is None
    found = change(template(), {"ResourceTags": "a=b, c=d"})
    assert found is not None
    assert found.diff == ("~ parameter ResourceTags: a=b -> a=b,c=d",)


def made(named: str) -> Existing:
    return Existing(replace(BEFORE, parameters={"LoadBalancerArns": named}), {})


def nobody() -> Iterator[str]:
    raise AssertionError("the account is listed only where the stack has every load balancer")
    yield


def forbidden() -> Iterator[str]:
    raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeLoadBalancers")
    yield


@pytest.mark.parametrize(
    ("before", "add", "remove", "after"),
    [
        (None, ["a"], [], "a"),
        ("a", ["b"], [], "a,b"),
        ("a, b", ["b", "c"], [], "a,b,c"),
        ("a,b,c", ["d"], ["a", "c"], "b,d"),
        ("a", ["b"], ["a"], "b"),
        ("a,b", ["b, c", " a"], [], "a,b,c"),
        ("a,b,c", [], ["b,c "], "a"),
        ("*", ["a"], [], "!which covers every load balancer. Set a list with --load-balancer"),
        ("a", [], ["b"], "!does not have the load balancer 'b'. It has a."),
        (None, [], ["b"], "!does not have the load balancer 'b'. It has none yet."),
        ("a", [], ["a"], "!use `dt-logs-cfn remove --stack s`."),
    ],
)
def test_a_list_is_changed_and_keeps_its_order_or_it_is_refused(
    before: str | None, add: list[str], remove: list[str], after: str
) -> None:
    asked = made(before) if before else None, add, remove
    if after.startswith("!"):
        assert after[1:] in refusal(changed, *asked)
    else:
        assert changed(*asked) == after


def test_what_is_dropped_is_in_the_old_list_only() -> None:
    declared = {"LoadBalancerArns": {"Type": "String"}}
    listing = Template(json.dumps({"Parameters": declared, "Resources": {}}))

    def dropped(before: Existing | None, wanted: str, present: Callable[[], Iterable[str]]) -> Any:
        given = {"LoadBalancerArns": wanted}
        return Deployment("s", HERE, listing, given, before=before).dropped(present)

    assert dropped(None, "a", nobody) == Dropped()
    assert dropped(made("a,b"), "b, a", nobody) == Dropped()
    assert dropped(made("a,b,a"), "b", nobody) == Dropped(("a",))
    assert dropped(made("a,b"), "*", nobody) == Dropped()
    assert dropped(made("*"), "*", nobody) == Dropped()
    assert dropped(made("*"), "b", lambda: ["a", "b", "c"]) == Dropped(("a", "c"))
    assert dropped(made("*"), "b", list) == Dropped()
    assert dropped(made("*"), "b", forbidden) == Dropped(unnamed=True)
    assert bool(Dropped(unnamed=True)) is True


def test_the_command_to_run_a_stack_again_has_a_new_token() -> None:
    command = "dt-logs-cfn deploy --stack s --parameter RunToken="
    for present, following in {"": 1, "2": 3, "1767225600": 1767225601, "again": 1}.items():
        again = replace(BEFORE, parameters={"RunToken": present}).run_again
        assert again == f"{command}{following}"
    assert BEFORE.run_again == f"{command}1"
