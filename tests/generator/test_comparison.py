"""The changes found between two templates, and their levels: rules and general laws.

The properties of rights are checked by brute force: every request is tried in several accounts.
"""

import copy
import json
import re
from functools import cache
from itertools import product
from typing import Any

import pytest
from cli.altered import DOCUMENTED, FUNCTION, NAME, ROLE, SETTINGS, Template, code_of, with_source
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import STEADY, json_values, places, with_value

from dt_logs_cfn import build_release
from dt_logs_cfn.diff import compare_templates
from dt_logs_cfn.diff.change import Change, Level
from dt_logs_cfn.diff.resources import create_only
from dt_logs_cfn.diff.rights import covers, may_cover
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_handler.documents import listed

TEXTS = build_release(SETTINGS).templates
ENDPOINT = "https://logs.example.com/alb"
GROUP = "DTLogsAnalysisLambdaLogGroup"
INVOCATION = "InvokeLambdaFunction"
STATEMENTS = f"Resources/{ROLE}/Properties/Policies/0/PolicyDocument/Statement"
GONE = object()  # stands for a removed value

Told = list[tuple[Level, str]]
MAJOR, MINOR, PATCH = Level.MAJOR, Level.MINOR, Level.PATCH


def template() -> Template:
    parsed: Template = json.loads(TEXTS[NAME])
    return parsed


def edited(parsed: Template, path: str, value: Any) -> Template:
    """Return a template with a value replaced, removed (GONE), or appended (the path ends in -)."""
    new: Any = copy.deepcopy(parsed)
    *outer, last = path.split("/")
    inner = new
    for key in outer:
        inner = inner[int(key) if isinstance(inner, list) else key]
    if last == "-":
        inner.append(value)
    elif value is GONE:
        del inner[last]
    else:
        inner[last] = copy.deepcopy(value)
    return new


def told(old: Template, new: Template) -> Told:
    return [(each.level, each.what) for each in compare_templates(old, new)]


SCOPES = '["LoadBalancer","Location"]'
MORE = '["LoadBalancer","Location","X"]'
# A parameter, its attribute and that attribute's new value.
PARAMETERS = [
    ("LogRetentionDays", "Default", 60, MINOR, "was 30, is now 60"),
    ("LogRetentionDays", "Default", GONE, MAJOR, "was 30, and is gone"),
    ("DataTheoremAccountId", "Default", "6", MAJOR, 'was "111122223333", is now "6"'),
    ("NotificationEndpoint", "Default", "x", MAJOR, f'was "{ENDPOINT}", is now "x"'),
    ("RunToken", "Type", "Number", MAJOR, 'was "String", is now "Number"'),
    ("VendorReadScope", "AllowedValues", ["Location"], MAJOR, f'was {SCOPES}, is now ["Location"]'),
    ("VendorReadScope", "AllowedValues", json.loads(MORE), MINOR, f"was {SCOPES}, is now {MORE}"),
    ("RunToken", "MaxLength", 127, MAJOR, "was 128, is now 127"),
    ("RunToken", "MaxLength", 129, MINOR, "was 128, is now 129"),
    ("RunToken", "MaxLength", "129", MAJOR, 'was 128, is now "129"'),
    ("LogRetentionDays", "MinValue", 2, MAJOR, "was 1, is now 2"),
    ("LogRetentionDays", "MinValue", 0, MINOR, "was 1, is now 0"),
    ("LogRetentionDays", "MaxValue", "many", MAJOR, 'was 36500, is now "many"'),
    ("RunToken", "MinLength", 1, MAJOR, "is now 1"),
    ("RunToken", "MaxLength", GONE, MINOR, "was 128, and is gone"),
    ("DataTheoremAccountId", "AllowedPattern", ".*", MAJOR, 'was "^[0-9]{12}$", is now ".*"'),
    ("DataTheoremAccountId", "ConstraintDescription", "x", PATCH, 'was "12 digits.", is now "x"'),
]
TRUST = "AssumeRolePolicyDocument"
NOT_GIVEN = "no longer takes the customer's"
RUNS_AGAIN = "changes, so that its function runs again"
REPLACED = "may be replaced, because its"
RUNS_OTHER = "changes, and with it the code that runs, or its permissions"
MAY_GRANT = "may grant permissions"
NOW = "changed statement, now:"
UNKNOWN = {"Fn::FindInMap": ["x", "y", "z"]}
ASSUMES = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
# A resource, its property and that property's new value.
PROPERTIES = [
    (FUNCTION, "FunctionName", "x", MAJOR, f" {REPLACED} FunctionName changes"),
    # These cause a replacement only sometimes, or only in a custom resource.
    (FUNCTION, "DurableConfig", {}, MAJOR, f" {REPLACED} DurableConfig changes"),
    (INVOCATION, "ServiceToken", "x", MAJOR, f" {REPLACED} ServiceToken changes"),
    (INVOCATION, "LogBucketName", "x", MAJOR, f": LogBucketName {NOT_GIVEN} LogBucketName"),
    (INVOCATION, "ServiceTimeout", 1100, PATCH, f": ServiceTimeout {RUNS_AGAIN}"),
    (FUNCTION, "MemorySize", 256, PATCH, ": MemorySize changes"),
    (FUNCTION, "Role", "x", MAJOR, f": Role {RUNS_OTHER}"),
    (ROLE, "PermissionsBoundary", GONE, MAJOR, ": PermissionsBoundary changes"),
    (ROLE, "PermissionsBoundary", "x", MAJOR, ": PermissionsBoundary changes"),
    (ROLE, "Policies", {"Ref": "X"}, MAJOR, f': {NOW} {{"Ref":"X"}}'),
    (
        ROLE,
        "Policies/0/PolicyDocument",
        UNKNOWN,
        MAJOR,
        f': {NOW} {{"Fn::FindInMap":["x","y","z"]}}',
    ),
    (ROLE, "ManagedPolicyArns", ["x"], MAJOR, f': {NOW} Allow managed policy "x"'),
    (ROLE, f"{TRUST}/Statement/-", ASSUMES, MAJOR, f": {TRUST} changes, which {MAY_GRANT}"),
]
# RIGHTS, below, has more cases for rights.
RECORDED = "Metadata/DTLogsAnalysis/Settings/aws"
LABELS = "Metadata/AWS::CloudFormation::Interface/ParameterLabels"
MACRO = {"Name": "x"}
CASES: list[tuple[str, Any, Level, str]] = [
    *(
        (f"Parameters/{name}/{attribute}", value, level, f"parameter {name}: {attribute} {what}")
        for name, attribute, value, level, what in PARAMETERS
    ),
    *(
        (f"Resources/{name}/Properties/{key}", value, level, f"{name}{what}")
        for name, key, value, level, what in PROPERTIES
    ),
    (
        f"{STATEMENTS}/-",
        {"Fn::Transform": "x"},
        MAJOR,
        f'{ROLE}: changed statement, now: {{"Fn::Transform":"x"}}',
    ),
    ("Parameters/RunToken", GONE, MAJOR, "parameter RunToken is gone"),
    ("Parameters/RunToken", "x", MAJOR, "parameter RunToken changes"),
    ("Parameters/X", {"Type": "String"}, MAJOR, "parameter X is new and is required"),
    ("Parameters/X", {"Default": "a"}, MINOR, 'parameter X is new, "a" by default'),
    (LABELS, {"RunToken": {}}, PATCH, "metadata AWS::CloudFormation::Interface changes"),
    ("Description", "x", PATCH, "the description changes"),
    ("Outputs/TopicArns", GONE, MAJOR, "output TopicArns is gone"),
    ("Outputs/X", {"Value": "x"}, MINOR, "output X is new"),
    ("Outputs/TopicArns/Value", "x", PATCH, "output TopicArns changes"),
    ("Outputs/TopicArns/Export", {"Name": "x"}, MAJOR, "output TopicArns changes"),
    (f"Resources/{GROUP}", GONE, MAJOR, f"{GROUP} (AWS::Logs::LogGroup) is gone"),
    ("Resources/X", {"Type": "AWS::SNS::Topic"}, MINOR, "X (AWS::SNS::Topic) is new"),
    ("Resources/X", {"Type": "AWS::IAM::X"}, MAJOR, f"X (AWS::IAM::X) is new and {MAY_GRANT}"),
    ("Resources/Fn::Transform", MACRO, MAJOR, f"Fn::Transform () is new and {MAY_GRANT}"),
    (
        f"Resources/{GROUP}/Type",
        "A::B::C",
        MAJOR,
        f"{GROUP} (A::B::C) replaces AWS::Logs::LogGroup",
    ),
    (f"Resources/{GROUP}/DeletionPolicy", "Retain", MINOR, f"{GROUP}: DeletionPolicy changes"),
    (f"Resources/{ROLE}/Properties", ["x"], MAJOR, f"{ROLE}: its change is unknown"),
    (f"Resources/{ROLE}", "x", MAJOR, f"{ROLE} () replaces AWS::IAM::Role and {MAY_GRANT}"),
    ("Rules", {"VendorFirst": {"Assertions": []}}, MAJOR, "rule VendorFirst is new"),
    ("Rules", [], MAJOR, "the section Rules changes; its effect is unknown"),
    ("Transform", "AWS::Include", MAJOR, "the section Transform changes; its effect is unknown"),
    ("Conditions/HasLogBucketName", {}, MAJOR, "condition HasLogBucketName changes"),
    ("Conditions/X", {"Fn::Equals": ["a", "b"]}, MINOR, "condition X is new"),
    (
        "Conditions/Fn::Transform",
        MACRO,
        MAJOR,
        "a macro writes parts of the template; its output is unknown",
    ),
    ("Metadata/DTLogsAnalysis/Version", "9.9.9", PATCH, "another version"),
    (f"{RECORDED}/vendor_account_id", "6", MAJOR, "setting aws/vendor_account_id changed"),
    (f"{RECORDED}/base_url", "https://x", PATCH, "setting aws/base_url added"),
]


@pytest.mark.parametrize(("path", "value", "level", "what"), CASES, ids=[each[0] for each in CASES])
def test_each_rule(path: str, value: Any, level: Level, what: str) -> None:
    found = told(template(), edited(template(), path, value))

    assert (level, what) in found
    assert found[0][0] == level


def test_a_rule_may_refuse_what_was_taken_until_it_goes() -> None:
    ruled = edited(template(), "Rules", {"VendorFirst": {"Assertions": [{}]}})
    other = edited(ruled, "Rules/VendorFirst", {})

    assert told(ruled, other) == [(MAJOR, "rule VendorFirst changes")]
    assert told(ruled, template()) == [(MINOR, "rule VendorFirst is gone")]


@STEADY
@given(
    st.fixed_dictionaries({"Resources": json_values}, optional={"Parameters": json_values}),
    st.fixed_dictionaries({"Resources": json_values}, optional={"Outputs": json_values}),
)
def test_what_means_the_same_is_no_change_and_what_does_not_is_one(old: Any, new: Any) -> None:
    assert compare_templates(old, copy.deepcopy(old)) == ()
    before, after = (
        json.dumps({name: part for name, part in each.items() if part != {}}, sort_keys=True)
        for each in (old, new)
    )
    assert bool(compare_templates(old, new)) == (before != after)


@STEADY
@given(st.sampled_from(places(template())), json_values)
def test_no_change_of_the_released_template_goes_unseen(
    place: tuple[str | int, ...], value: Any
) -> None:
    """A change is found even beside another change."""
    mask = Change(MINOR, "output", "output Mask is new")
    new = template()
    new["Outputs"]["Mask"] = {"Value": "x"}
    before = with_value(new, place, value)

    if json.dumps(value, sort_keys=True) != json.dumps(before, sort_keys=True):
        assert set(compare_templates(template(), new)) - {mask}


def test_a_handler_is_compared_source_by_source() -> None:
    def changes(content: bytes) -> tuple[Change, ...]:
        return compare_templates(template(), with_source(template(), "added.py", content))

    name = "dt_logs_handler/added.py"
    diff = f"--- /dev/null\n+++ new/{name}\n@@ -0,0 +1,2 @@\n+one\n+two"
    assert changes(b"one\ntwo\n") == (
        Change(PATCH, "handler", f"{FUNCTION}: {name} is new", name, diff),
    )
    assert "It has too many lines" in changes(b"\n" * 20_001)[0].what


@pytest.mark.parametrize(
    "code",
    [
        {"ZipFile": "import os"},
        {"S3Bucket": "x", "S3Key": "y"},
        {**code_of(template()), "ImageUri": "x"},
    ],
    ids=["other code", "code in S3", "an image, too"],
)
def test_code_that_cannot_be_read_is_major(code: dict[str, str]) -> None:
    changed = edited(template(), f"Resources/{FUNCTION}/Properties/Code", code)

    (change,) = compare_templates(template(), changed)

    assert (change.level, change.diff) == (MAJOR, "")
    assert "the code changes, and cannot be compared" in change.what


def test_the_schemas_say_what_is_replaced() -> None:
    assert create_only("AWS::IAM::Role") == {"Path", "RoleName"}
    assert create_only("No::Such::Type") is None
    assert create_only("../../x") is None
    old = edited(template(), "Resources/X", {"Type": "No::Such::Type", "Properties": {"A": "a"}})
    new = edited(old, "Resources/X/Properties/A", "b")
    assert told(old, new) == [(MAJOR, "X: A changes; its effect on No::Such::Type is unknown")]


def a_role(*statements: Any, **properties: Any) -> dict[str, Any]:
    """Return a template with one role and a log group."""
    policies = [{"PolicyDocument": {"Version": "2012-10-17", "Statement": [*statements]}}]
    return {
        "Parameters": {"Bucket": {"Type": "String"}},
        "Conditions": {"C": {"Fn::Equals": [{"Ref": "Bucket"}, ""]}},
        "Resources": {
            "R": {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies, **properties}},
            "G": {"Type": "AWS::Logs::LogGroup"},
        },
    }


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def compared(old: list[Any], new: list[Any]) -> list[str]:
    """Return the changes between two policies of the role, each preceded by its level."""
    found = told(a_role(*old), a_role(*new))
    return [f"{level.name} {what.removeprefix('R: ')}" for level, what in found]


def on_key(value: Any) -> dict[str, Any]:
    return allow("s3:Get", Condition={"StringEquals": {"k": value}})


def quoted(parameter: str) -> str:
    condition = f'"Condition":{{"Ref":"{parameter}"}}'
    return f'{{"Action":"s3:Get",{condition},"Effect":"Allow","Resource":"*"}}'


GET, PUT, BOTH = allow("s3:Get"), allow("s3:Put"), allow(["s3:Get", "s3:Put"])
ALL, NO_IAM = allow("*"), {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}
TESTED = allow("s3:Get", Condition={"Bool": {"b": "true"}})
BUCKET, NOTHING = {"Ref": "Bucket"}, {"Ref": "AWS::NoValue"}
IF_C, UNLESS_C = {"Fn::If": ["C", PUT, NOTHING]}, {"Fn::If": ["C", NOTHING, PUT]}
LOGS = "arn:${AWS::Partition}:logs:*:*:*"
# The words for a change, and for its reversal.
WORDS = {
    "right": ("MAJOR right added:", "MINOR right removed:"),
    "denial": ("MINOR denial added:", "MAJOR denial removed:"),
    "statement": (f"MAJOR {NOW} Allow", "MINOR changed statement, before: Allow"),
    "unknown": (f"MAJOR {NOW}", "MAJOR changed statement, before:"),
}
# What only one of two policies has: each part is a key of WORDS, and the text after its words.
Only = list[tuple[str, str]]
# A case's name, its old and new statements, and the parts that only the new or the old ones have.
RIGHTS: list[tuple[str, list[Any], list[Any], Only, Only]] = [
    ("an action", [GET], [BOTH], [("right", "s3:Put on *")], []),
    ("more than a part", [allow("s3:Get", "x/y")], [allow("s3:*")], [("right", "s3:* on *")], []),
    ("* for ?", [allow("a:B", "x/?")], [allow("a:B", "x/*")], [("right", "a:B on x/*")], []),
    (
        "several together cover it",
        [allow("s3:Get", ["x/?*", "x/"])],
        [allow("s3:Get", "x/*")],
        [("statement", "s3:Get on x/*")],
        [],
    ),
    ("upper and lower case", [GET], [allow("S3:get")], [], []),
    ("two statements", [BOTH], [{**PUT, "Sid": "Put"}, {**GET, "Sid": "Get"}], [], []),
    ("a test fewer", [TESTED], [GET], [("statement", "s3:Get on *")], []),
    ("a test's form", [TESTED], [{**TESTED, "Condition": {"Bool": {"b": [True]}}}], [], []),
    (
        "a test that depends on a condition",
        [on_key({"Fn::If": ["C", "v", "w"]})],
        [on_key(["v", "w"])],
        [("statement", 's3:Get on *, if StringEquals k "v" or "w"')],
        [
            (
                "statement",
                "s3:Get on *, if StringEquals k"
                r' "${{\"Fn::If\":[\"C\",\"v\",\"w\"]}}"',
            )
        ],
    ),
    ("a right if C", [GET], [GET, IF_C], [("right", "s3:Put on *, where C")], []),
    ("no longer only if C", [IF_C], [PUT], [("statement", "s3:Put on *")], []),
    ("no longer only unless C", [UNLESS_C], [PUT], [("statement", "s3:Put on *")], []),
    ("beside what is unknown", [UNKNOWN], [UNKNOWN, GET], [("statement", "s3:Get on *")], []),
    ("what is unknown", [], [UNKNOWN], [("unknown", '{"Fn::FindInMap":["x","y","z"]}')], []),
    ("a denial", [ALL], [ALL, NO_IAM], [("denial", "iam:* on *")], []),
    (
        "a right that is denied at once",
        [],
        [allow("iam:*"), NO_IAM],
        [("statement", "iam:* on *"), ("denial", "iam:* on *")],
        [],
    ),
    (
        "all but some",
        [GET],
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "x"}],
        [("statement", '{"Effect":"Allow","NotAction":"iam:*","Resource":"x"}')],
        [("statement", "s3:Get on *")],
    ),
    (
        "a test that cannot be read",
        [{**GET, "Condition": {"Ref": "A"}}],
        [{**GET, "Condition": {"Ref": "B"}}],
        [("statement", quoted("B"))],
        [("statement", quoted("A"))],
    ),
    (
        "the log group of the stack",
        [allow("logs:PutLogEvents", {"Fn::GetAtt": ["G", "Arn"]})],
        [allow("logs:PutLogEvents", {"Fn::Sub": LOGS})],
        [("statement", f"logs:PutLogEvents on {LOGS}")],
        [],
    ),
    (
        "a value that only the account knows",
        [allow("s3:Get", "arn:aws:s3:::logs-*")],
        [allow("s3:Get", {"Fn::Join": ["", ["arn:aws:s3:::", BUCKET]]})],
        [("statement", "s3:Get on arn:aws:s3:::${Bucket}")],
        [("statement", "s3:Get on arn:aws:s3:::logs-*")],
    ),
    ("all of them", [allow("a:B", BUCKET)], [allow("a:B")], [("statement", "a:B on *")], []),
    (
        "a value, and a letter",
        [allow("a:B", BUCKET)],
        [allow("a:B", "?")],
        [("statement", "a:B on ?")],
        [("statement", "a:B on ${Bucket}")],
    ),
    (
        "a function that only CloudFormation works out",
        [allow("s3:Get", {"Fn::Select": [0, ["a", "b"]]})],
        [allow("s3:Get", {"Fn::Select": [1, ["a", "b"]]})],
        [("statement", 's3:Get on ${{"Fn::Select":[1,["a","b"]]}}')],
        [("statement", 's3:Get on ${{"Fn::Select":[0,["a","b"]]}}')],
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "gained", "lost"), [pytest.param(*rest, id=name) for name, *rest in RIGHTS]
)
def test_each_rule_for_rights(old: list[Any], new: list[Any], gained: Only, lost: Only) -> None:
    for one, other, more, less in ((old, new, gained, lost), (new, old, lost, gained)):
        expected = [f"{WORDS[kind][0]} {what}" for kind, what in more]
        expected += [f"{WORDS[kind][1]} {what}" for kind, what in less]
        same = ["PATCH its policies change only in form"]
        assert sorted(compared(one, other)) == sorted(expected or same)
        assert compared(one, one) == []


def test_another_version_of_the_policy_language_is_not_judged() -> None:
    """In the older policy version, variables such as ${aws:username} are plain text."""
    old, new = a_role(allow("s3:Get", "${aws:username}")), a_role()
    statement = {"Statement": [allow("s3:Get", "${aws:username}")]}
    new["Resources"]["R"]["Properties"]["Policies"] = [{"PolicyDocument": statement}]
    for one, other in ((old, new), (new, old)):
        assert {level for level, _ in told(one, other)} == {MAJOR}


def test_from_documented_to_least_privilege_no_covered_right_is_added() -> None:
    old, new = (json.loads(TEXTS[name]) for name in (DOCUMENTED, NAME))
    rights = [each.what for each in compare_templates(old, new) if each.kind == "right"]

    own = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:"
    added = [
        "sns:GetSubscriptionAttributes, sns:ListSubscriptions, sns:SetSubscriptionAttributes,"
        " sns:Unsubscribe on *",
        f"sns:DeleteTopic, sns:GetTopicAttributes, sns:TagResource on {own}dt-logs-analysis-*",
        f"sns:ListSubscriptionsByTopic on {own}*",
        "cloudformation:DescribeStacks on ${AWS::StackId}, where HasRefreshSchedule",
    ]
    assert rights == [
        *(f"{ROLE}: right added: {each}" for each in added),
        f"{ROLE}: right removed: logs:CreateLogGroup on {LOGS}",
        f"{ROLE}: changed statement, before: Allow logs:CreateLogStream, logs:PutLogEvents on"
        f" {LOGS}",
        f"{ROLE}: right removed: elasticloadbalancing:ModifyLoadBalancerAttributes, s3:*,"
        " sns:CreateTopic, sns:Subscribe on *",
    ]


@pytest.mark.parametrize(
    "many",
    [
        pytest.param([f"a:{n}" for n in range(501)], id="rights"),
        pytest.param(["a:" + "*b" * 4_000], id="letters"),
    ],
)
def test_policies_beyond_all_measure_are_not_compared(many: list[str]) -> None:
    expected = ["MAJOR its policies change, and are too large to be compared"]
    assert compared([], [allow(many)]) == expected


# The tests try every request that these values can form. The long names stand for names that only
# `*` matches.
MANY = settings(STEADY, max_examples=400)
LONG = "q" * 20
ACTIONS = ("s3:get", "s3:put", f"s3:{LONG}", "iam:get", LONG)
RESOURCES = ("x/y", "x/z", "z/y", "y", f"x/{LONG}", LONG, "")
CONTEXTS: tuple[dict[str, str], ...] = (
    {},
    {"k": "v"},
    {"k": "w"},
    {"k": "v", "b": "true"},
    {"k": "w", "b": "true"},
)
ACCOUNTS = [
    ResolvedTemplate(a_role(), {"Bucket": bucket}, region=region)
    for bucket, region in product(("", "b"), "xz")
]


@cache
def matches(pattern: str, text: str) -> bool:
    wild = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wild.get(c) or re.escape(c) for c in pattern), text) is not None


def allowed(policy: list[Any], account: ResolvedTemplate) -> set[Any]:
    """Return every request that a policy allows in an account, by trying each."""
    found: dict[str, set[Any]] = {"Allow": set(), "Deny": set()}
    for each in account.value(policy):
        tests = [one for keys in each.get("Condition", {}).values() for one in keys.items()]
        found[each["Effect"]] |= {
            (action, resource, number)
            for action, resource, number in product(ACTIONS, RESOURCES, range(len(CONTEXTS)))
            if any(matches(one.lower(), action) for one in listed(each["Action"]))
            and any(matches(one, resource) for one in listed(each["Resource"]))
            and all(CONTEXTS[number].get(key) in listed(values) for key, values in tests)
        }
    return found["Allow"] - found["Deny"]


def one_or_both(values: list[Any]) -> st.SearchStrategy[Any]:
    some = st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=2)
    return some | st.builds(lambda one, other: {"Fn::If": ["C", one, other]}, some, some)


IN_REGION = {"Fn::Sub": "${AWS::Region}/y"}
conditions = st.sampled_from(
    [
        {"StringEquals": {"k": "v"}},
        {"StringEquals": {"k": ["v"]}},
        {"StringEquals": {"k": ["v", "w"]}},
        {"StringEquals": {"k": "v"}, "Bool": {"b": "true"}},
    ]
)
statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
        "Action": one_or_both(["s3:Get", "S3:get", "s3:*", "s3:Put", "s3:??t", "*", "?*"]),
        "Resource": one_or_both(["*", "x/*", "x/y", "?/y", "?*", IN_REGION]),
    },
    optional={"Condition": conditions},
)
policies = st.lists(
    statements | statements.map(lambda each: {"Fn::If": ["C", each, NOTHING]}),
    max_size=3,
)


@MANY
@given(policies, policies)
def test_what_is_new_is_told_as_major_and_a_right_that_is_called_added_is_new(
    old: list[Any], new: list[Any]
) -> None:
    found = compared(old, new)
    if any(allowed(new, account) - allowed(old, account) for account in ACCOUNTS):
        major = [each for each in found if each.startswith("MAJOR")]
        assert any(re.search("right added|statement|denial", each) for each in major)
    else:
        assert not any("right added" in each for each in found)


@st.composite
def narrowed(draw: st.DrawFn, policy: list[Any]) -> list[Any]:
    """Draw a policy that allows no more than this one, written in any form."""
    found = []
    for each in policy:
        statement = dict(each)
        if statement.get("Effect") == "Allow":
            match draw(st.sampled_from(["keep", "drop", "action", "resource", "test", "where"])):
                case "drop":
                    continue
                case "action" if statement["Action"] in ("*", "s3:*"):
                    statement["Action"] = draw(st.sampled_from(["s3:Get", ["s3:G*", "s3:put"]]))
                case "resource" if statement["Resource"] == "*":
                    statement["Resource"] = draw(st.sampled_from(["x/*", "?*", IN_REGION]))
                case "test" if "Condition" not in statement:
                    statement["Condition"] = draw(conditions)
                case "where":
                    statement = {"Fn::If": ["C", statement, NOTHING]}
        found.append(statement)
    denials = st.lists(statements.map(lambda each: {**each, "Effect": "Deny"}), max_size=1)
    return draw(st.permutations(found + draw(denials)))


@MANY
@given(st.data(), policies)
def test_a_policy_that_only_narrows_adds_no_right(data: st.DataObject, old: list[Any]) -> None:
    new = data.draw(narrowed(old))

    assert not any(allowed(new, account) - allowed(old, account) for account in ACCOUNTS)
    assert not any(each.startswith("MAJOR") for each in compared(old, new))


def test_a_pattern_covers_only_what_it_matches() -> None:
    """Compare all patterns of up to three characters with the strings that they match."""
    texts = ["".join(each) for size in range(5) for each in product("abc", repeat=size)]
    patterns = ["".join(each) for size in range(4) for each in product("a*?", repeat=size)]
    matched = {each: {text for text in texts if matches(each, text)} for each in patterns}
    for wide, narrow in product(patterns, repeat=2):
        one, other = tuple(wide), tuple(narrow)
        assert covers(one, one)
        assert may_cover(one, other) or not matched[narrow] <= matched[wide]
        assert not covers(one, other) or matched[narrow] <= matched[wide]
