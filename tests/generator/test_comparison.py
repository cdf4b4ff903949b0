"""The changes found between two templates, and their levels, with a case for each rule."""

import copy
import json
from typing import Any

import pytest
from cli.altered import FUNCTION, NAME, ROLE, Template, code_of, with_source
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY, json_values, places, with_value

from dt_logs_cfn import Settings, Vendor, build_release
from dt_logs_cfn.diff import Change, Level, compare_templates
from dt_logs_cfn.diff.resources import create_only

ENDPOINT = "https://logs.example.com/alb"
FILES = build_release(Settings((Vendor("aws", "111122223333", ENDPOINT),))).files
TEXTS = {name: text.decode() for name, text in FILES.items() if name.endswith(".template.json")}
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
    """Return a template with a value replaced, removed (GONE), or appended if the path ends in '-'.

    A path names a statement by its Sid.
    """
    new: Any = copy.deepcopy(parsed)
    *outer, last = path.split("/")
    inner = new
    for key in outer:
        if isinstance(inner, list):
            named = {each.get("Sid"): each for each in inner}
            inner = named[key] if key in named else inner[int(key)]
        else:
            inner = inner[key]
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
LOOKED_UP = {"Fn::FindInMap": ["x", "y", "z"]}
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
        LOOKED_UP,
        MAJOR,
        f': {NOW} {{"Fn::FindInMap":["x","y","z"]}}',
    ),
    (ROLE, "ManagedPolicyArns", ["x"], MAJOR, f': {NOW} Allow managed policy "x"'),
    (ROLE, f"{TRUST}/Statement/-", ASSUMES, MAJOR, f": {TRUST} changes, which {MAY_GRANT}"),
]
# tests/generator/test_rights.py has more cases for rights.
RIGHT = "right added: sns:Publish on arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}"
SETTINGS = "Metadata/DTLogsAnalysis/Settings/aws"
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
        f"{STATEMENTS}/OwnTopic/Action/-",
        "sns:Publish",
        MAJOR,
        f"{ROLE}: {RIGHT}:dt-logs-analysis-*",
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
    (f"{SETTINGS}/vendor_account_id", "6", MAJOR, "setting aws/vendor_account_id changed"),
    (f"{SETTINGS}/base_url", "https://x", PATCH, "setting aws/base_url added"),
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


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_changes_to_itself(name: str) -> None:
    parsed = json.loads(TEXTS[name])

    assert compare_templates(parsed, copy.deepcopy(parsed)) == ()


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
    """A change is found even if there is another one."""
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
