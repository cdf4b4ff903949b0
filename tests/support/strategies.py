"""Hypothesis strategies for the configuration of customers' buckets, and for arbitrary JSON."""

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

# Use the same examples in every run, and no deadline, so that slow machines do not fail tests.
STEADY = settings(derandomize=True, deadline=None, max_examples=100)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of all values nested in a JSON value."""
    keyed = dict(enumerate(value)) if isinstance(value, list) else value
    items = keyed.items() if isinstance(keyed, dict) else ()
    return [each for key, item in items for each in ((*path, key), *places(item, (*path, key)))]


def with_value(value: Any, place: tuple[str | int, ...], new: Any) -> Any:
    """Put a new value at a place inside a JSON value, and return the value that was there."""
    for key in place[:-1]:
        value = value[key]
    before, value[place[-1]] = value[place[-1]], new
    return before


_principals: st.SearchStrategy[Any] = st.sampled_from(
    [
        "*",
        {"AWS": "*"},
        {"AWS": "arn:aws:iam::111122223333:root"},
        {"AWS": ["arn:aws:iam::111122223333:role/x", "444455556666"]},
        {"Service": "cloudtrail.amazonaws.com", "AWS": "arn:aws:iam::111122223333:root"},
    ]
)
_actions: st.SearchStrategy[Any] = st.sampled_from(
    ["s3:GetObject", ["s3:GetObject"], ["s3:PutObject", "s3:GetObject"], "s3:*"]
)
_resources: st.SearchStrategy[Any] = st.sampled_from(
    [
        "arn:aws:s3:::logs/*",
        ["arn:aws:s3:::logs/*"],
        ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"],
        "arn:aws:s3:::logs/${aws:username}/ü*",
    ]
)
_conditions: st.SearchStrategy[Any] = st.sampled_from(
    [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"Bool": {"aws:SecureTransport": False}},
        {"StringEquals": {"aws:SourceAccount": ["123456789012"]}},
    ]
)
_sids = st.sampled_from(
    ["", "AllowTrail", "DTLogsAnalysis", "DTLogsAnalysisRead", "DTLogsAnalysis1Read558d71137e72"]
)


@st.composite
def foreign_statements(draw: st.DrawFn) -> dict[str, Any]:
    """Draw somebody else's statement, in any of the forms that AWS accepts."""
    statement: dict[str, Any] = {}
    if draw(st.booleans()):
        statement["Sid"] = draw(_sids)
    statement["Effect"] = draw(st.sampled_from(["Allow", "Deny"]))
    statement[draw(st.sampled_from(["Principal", "NotPrincipal"]))] = draw(_principals)
    statement[draw(st.sampled_from(["Action", "NotAction"]))] = draw(_actions)
    statement["Resource"] = draw(_resources)
    if draw(st.booleans()):
        statement["Condition"] = draw(_conditions)
    if draw(st.booleans()):
        statement["Comment"] = draw(json_values)  # a key that AWS may introduce
    return statement


@st.composite
def policies(draw: st.DrawFn, empty: bool = True) -> str | None:
    """Draw a bucket policy that somebody else wrote, or None."""
    statements = draw(st.lists(foreign_statements(), min_size=0 if empty else 1, max_size=4))
    if not statements:
        return None
    document: dict[str, Any] = {}
    if draw(st.booleans()):
        document["Id"] = "of the customer"
    document["Version"] = draw(st.sampled_from(["2012-10-17", "2008-10-17"]))
    single = len(statements) == 1 and draw(st.booleans())
    document["Statement"] = statements[0] if single else statements
    return json.dumps(document, indent=draw(st.sampled_from([None, 2])))


@st.composite
def foreign_entries(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """Draw somebody else's notification, and the name of the list that contains it."""
    kind, key, service = draw(
        st.sampled_from(
            [
                ("TopicConfigurations", "TopicArn", "sns"),
                ("QueueConfigurations", "QueueArn", "sqs"),
                ("LambdaFunctionConfigurations", "LambdaFunctionArn", "lambda"),
            ]
        )
    )
    entry: dict[str, Any] = {}
    if draw(st.booleans()):
        entry["Id"] = draw(st.sampled_from(["theirs", "dt-logs-analysis", "tf-s3-1"]))
    entry[key] = f"arn:aws:{service}:us-east-1:123456789012:{draw(st.sampled_from('ab'))}"
    entry["Events"] = draw(
        st.lists(
            st.sampled_from(["s3:ObjectRemoved:*", "s3:ObjectCreated:Put", "s3:TestEvent"]),
            min_size=1,
            max_size=2,
            unique=True,
        )
    )
    if draw(st.booleans()):
        name = draw(st.sampled_from(["prefix", "Prefix"]))
        rules = [{"Name": name, "Value": draw(st.sampled_from(["img/", "a+b%2F", ""]))}]
        entry["Filter"] = {"Key": {"FilterRules": rules}}
    return kind, entry


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a bucket's whole notification configuration, EventBridge included."""
    found: dict[str, Any] = {}
    for kind, entry in draw(st.lists(foreign_entries(), max_size=4)):
        found.setdefault(kind, []).append(entry)
    if draw(st.booleans()):
        found["EventBridgeConfiguration"] = {}
    return found
