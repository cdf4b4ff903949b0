"""The rights that a role gains and loses: written cases, and properties checked by brute force."""

import json
import re
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import STEADY

from dt_logs_cfn import Settings, build_release
from dt_logs_cfn.diff import Level, compare_templates
from dt_logs_cfn.diff.rights import covers, may_cover
from dt_logs_handler.documents import listed

SAME = ["PATCH its policies change only in form"]


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


def deny(action: Any, resource: Any = "*") -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource}


def compared(old: list[Any], new: list[Any]) -> list[str]:
    """Return the changes between two policies of the role, each preceded by its level."""
    changes = compare_templates(a_role(*old), a_role(*new))
    return [f"{each.level.name} {each.what.removeprefix('R: ')}" for each in changes]


GET, PUT, BOTH = allow("s3:Get"), allow("s3:Put"), allow(["s3:Get", "s3:Put"])
ALL, NO_IAM = allow("*"), deny("iam:*")
TESTED = allow("s3:Get", Condition={"Bool": {"b": "true"}})
NOTHING = {"Ref": "AWS::NoValue"}
IF_C, UNLESS_C = {"Fn::If": ["C", PUT, NOTHING]}, {"Fn::If": ["C", NOTHING, PUT]}
UNKNOWN = {"Fn::FindInMap": ["x", "y", "z"]}
LOGS = "arn:${AWS::Partition}:logs:*:*:*"
ADDED, TAKEN = "MAJOR right added:", "MINOR right removed:"
NOW, BEFORE = "MAJOR changed statement, now: Allow", "MINOR changed statement, before: Allow"


def selected(number: int) -> dict[str, Any]:
    return {"Fn::Select": [number, ["a", "b"]]}


def on_key(value: Any) -> dict[str, Any]:
    return allow("s3:Get", Condition={"StringEquals": {"k": value}})


# The case's name, the old and the new statements, and the changes.
CASES: list[tuple[str, list[Any], list[Any], list[str]]] = [
    ("an action more", [GET], [BOTH], [f"{ADDED} s3:Put on *"]),
    ("an action fewer", [BOTH], [GET], [f"{TAKEN} s3:Put on *"]),
    ("part of a right", [allow("s3:*")], [allow("s3:Get", "x/y")], [f"{TAKEN} s3:* on *"]),
    ("wider", [allow("s3:Get", "x/y")], [allow("s3:Get", "x/*")], [f"{ADDED} s3:Get on x/*"]),
    ("* for ?", [allow("s3:Get", "x/?")], [allow("s3:Get", "x/*")], [f"{ADDED} s3:Get on x/*"]),
    (
        "several together cover it",
        [allow("s3:Get", ["x/?*", "x/"])],
        [allow("s3:Get", "x/*")],
        [f"{NOW} s3:Get on x/*"],
    ),
    ("upper and lower case", [GET], [allow("S3:get")], SAME),
    ("two statements for one", [BOTH], [{**PUT, "Sid": "Put"}, {**GET, "Sid": "Get"}], SAME),
    ("a test more", [GET], [TESTED], [f"{BEFORE} s3:Get on *"]),
    ("a test fewer", [TESTED], [GET], [f"{NOW} s3:Get on *"]),
    ("a test's form", [TESTED], [{**TESTED, "Condition": {"Bool": {"b": [True]}}}], SAME),
    (
        "a test that depends on a condition",
        [on_key({"Fn::If": ["C", "v", "w"]})],
        [on_key(["v", "w"])],
        [
            f'{NOW} s3:Get on *, if StringEquals k "v" or "w"',
            f"{BEFORE} s3:Get on *, if StringEquals k"
            ' "${{\\"Fn::If\\":[\\"C\\",\\"v\\",\\"w\\"]}}"',
        ],
    ),
    ("a right if C", [GET], [GET, IF_C], [f"{ADDED} s3:Put on *, where C"]),
    ("no longer only if C", [IF_C], [PUT], [f"{NOW} s3:Put on *"]),
    ("now only if C", [PUT], [IF_C], [f"{BEFORE} s3:Put on *"]),
    ("no longer only unless C", [UNLESS_C], [PUT], [f"{NOW} s3:Put on *"]),
    ("now only unless C", [PUT], [UNLESS_C], [f"{BEFORE} s3:Put on *"]),
    ("beside an unknown statement", [UNKNOWN], [UNKNOWN, GET], [f"{NOW} s3:Get on *"]),
    (
        "an unknown statement fewer",
        [UNKNOWN],
        [],
        ['MAJOR changed statement, before: {"Fn::FindInMap":["x","y","z"]}'],
    ),
    ("a denial", [ALL], [ALL, NO_IAM], ["MINOR denial added: iam:* on *"]),
    ("a denial fewer", [ALL, NO_IAM], [ALL], ["MAJOR denial removed: iam:* on *"]),
    (
        "a right that is denied at once",
        [],
        [allow("iam:*"), NO_IAM],
        [f"{NOW} iam:* on *", "MINOR denial added: iam:* on *"],
    ),
    (
        "all but some",
        [GET],
        [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "x"}],
        [
            f'{NOW} {{"Effect":"Allow","NotAction":"iam:*","Resource":"x"}}',
            f"{BEFORE} s3:Get on *",
        ],
    ),
    (
        "a test that cannot be read",
        [{**GET, "Condition": {"Ref": "A"}}],
        [{**GET, "Condition": {"Ref": "B"}}],
        [
            f'{start} {{"Action":"s3:Get","Condition":{{"Ref":"{name}"}},'
            '"Effect":"Allow","Resource":"*"}'
            for start, name in ((NOW, "B"), (BEFORE, "A"))
        ],
    ),
    (
        "the log group of the stack",
        [allow("logs:PutLogEvents", {"Fn::Sub": LOGS})],
        [allow("logs:PutLogEvents", {"Fn::GetAtt": ["G", "Arn"]})],
        [f"{BEFORE} logs:PutLogEvents on {LOGS}"],
    ),
    (
        "a value that only the account knows",
        [allow("s3:Get", "arn:aws:s3:::logs-*")],
        [allow("s3:Get", {"Fn::Join": ["", ["arn:aws:s3:::", {"Ref": "Bucket"}]]})],
        [
            f"{NOW} s3:Get on arn:aws:s3:::${{Bucket}}",
            f"{BEFORE} s3:Get on arn:aws:s3:::logs-*",
        ],
    ),
    (
        "a function that only CloudFormation works out",
        [allow("s3:Get", selected(0))],
        [allow("s3:Get", selected(1))],
        [
            f'{NOW} s3:Get on ${{{{"Fn::Select":[1,["a","b"]]}}}}',
            f'{BEFORE} s3:Get on ${{{{"Fn::Select":[0,["a","b"]]}}}}',
        ],
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "expected"), [pytest.param(*rest, id=name) for name, *rest in CASES]
)
def test_each_rule(old: list[Any], new: list[Any], expected: list[str]) -> None:
    assert compared(old, new) == expected
    assert compared(new, new) == []


def test_another_version_of_the_policy_language_is_not_judged() -> None:
    """In the older policy version, variables such as ${aws:username} are plain text."""
    old, new = a_role(allow("s3:Get", "${aws:username}")), a_role()
    statement = {"Statement": [allow("s3:Get", "${aws:username}")]}
    new["Resources"]["R"]["Properties"]["Policies"] = [{"PolicyDocument": statement}]
    for one, other in ((old, new), (new, old)):
        levels = {each.level for each in compare_templates(one, other)}
        assert levels == {Level.MAJOR}


def test_from_documented_to_least_privilege_no_covered_right_is_added() -> None:
    files = build_release(Settings()).files
    names = ("dt-logs-analysis-documented.template.json", "dt-logs-analysis.template.json")
    old, new = (json.loads(files[name]) for name in names)
    told = [each.what for each in compare_templates(old, new) if each.kind == "right"]

    role = "DTLogsAnalysisLambdaExecutionRole: "
    own = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:"
    added = [
        "sns:GetSubscriptionAttributes, sns:ListSubscriptions, sns:SetSubscriptionAttributes,"
        " sns:Unsubscribe on *",
        f"sns:DeleteTopic, sns:GetTopicAttributes, sns:TagResource on {own}dt-logs-analysis-*",
        f"sns:ListSubscriptionsByTopic on {own}*",
        "cloudformation:DescribeStacks on ${AWS::StackId}, where HasRefreshSchedule",
    ]
    logs = "arn:${AWS::Partition}:logs:*:*:*"
    assert told == [
        *(f"{role}right added: {each}" for each in added),
        f"{role}right removed: logs:CreateLogGroup on {logs}",
        f"{role}changed statement, before: Allow logs:CreateLogStream, logs:PutLogEvents on {logs}",
        f"{role}right removed: elasticloadbalancing:ModifyLoadBalancerAttributes, s3:*,"
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


# All of these requests can be tried. The long names stand for names that only `*` matches.
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
ACCOUNTS = [{"C": holds, "AWS::Region": region} for holds in (True, False) for region in "xz"]


def filled_in(value: Any, account: dict[str, Any]) -> Any:
    """Return a value as CloudFormation resolves it in an account."""
    match value:
        case {"Fn::If": [name, yes, no]}:
            return filled_in(yes if account[name] else no, account)
        case {"Fn::Sub": text}:
            return text.replace("${AWS::Region}", account["AWS::Region"])
        case dict():
            return {key: filled_in(each, account) for key, each in value.items()}
        case list():
            items = [filled_in(each, account) for each in value]
            return [each for each in items if each != NOTHING]
    return value


@cache
def matches(pattern: str, text: str) -> bool:
    wild = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wild.get(c) or re.escape(c) for c in pattern), text) is not None


def allowed(policy: list[Any], account: dict[str, Any]) -> set[Any]:
    """Return every request that a policy allows in an account, by trying each."""
    found: dict[str, set[Any]] = {"Allow": set(), "Deny": set()}
    for each in filled_in(policy, account):
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
def test_what_is_new_is_told_as_major(old: list[Any], new: list[Any]) -> None:
    if any(allowed(new, account) - allowed(old, account) for account in ACCOUNTS):
        told = [each for each in compared(old, new) if each.startswith("MAJOR")]
        assert any(re.search("right added|statement|denial", each) for each in told)


@MANY
@given(policies, policies)
def test_a_right_that_is_called_added_is_new(old: list[Any], new: list[Any]) -> None:
    if any("right added" in each for each in compared(old, new)):
        assert any(allowed(new, account) - allowed(old, account) for account in ACCOUNTS)


@st.composite
def narrowed(draw: st.DrawFn, policy: list[Any]) -> list[Any]:
    """Draw a policy that allows no more than this one, in any form."""
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


SYMBOL = ("<AWS::AccountId>",)  # stands for a value, not for one character


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("s3:*", "s3:get*", True),
        ("s3:get?bject", "s3:getobject", True),
        ("a*c*e", "abcde", True),
        ("a*", "a", True),
        ("*", SYMBOL, True),
        (SYMBOL, SYMBOL, True),
        ("?", SYMBOL, False),
        ("1", SYMBOL, False),
    ],
)
def test_coverage(wide: Sequence[str], narrow: Sequence[str], expected: bool) -> None:
    """A value that only the account knows may be any text."""
    assert covers(tuple(wide), tuple(narrow)) is expected
    assert may_cover(tuple(wide), tuple(narrow)) is (expected or narrow is SYMBOL)
