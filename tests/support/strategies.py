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


def _keyed(names: str, *values: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for dictionaries that have one of the values under one of the names."""
    return st.dictionaries(
        st.sampled_from(names.split()), st.sampled_from(values), min_size=1, max_size=1
    )


# Somebody else's statement, in any of the forms that AWS accepts.
_foreign_statements = st.builds(
    lambda *parts: {key: value for part in parts for key, value in part.items()},
    _keyed("Effect", "Allow", "Deny"),
    _keyed(
        "Principal NotPrincipal",
        *("*", {"AWS": "*"}, {"AWS": "arn:aws:iam::111122223333:root"}),
        {"AWS": ["arn:aws:iam::111122223333:role/x", "444455556666"]},
        {"Service": "cloudtrail.amazonaws.com", "AWS": "arn:aws:iam::111122223333:root"},
    ),
    _keyed(
        "Action NotAction",
        *("s3:GetObject", ["s3:GetObject"], ["s3:PutObject", "s3:GetObject"], "s3:*"),
    ),
    _keyed(
        "Resource",
        *("arn:aws:s3:::logs/*", ["arn:aws:s3:::logs/*"]),
        *(["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"], "arn:aws:s3:::logs/${aws:username}/ü*"),
    ),
    st.just({})
    | _keyed("Sid", "", "AllowTrail", "DTLogsAnalysis", "DTLogsAnalysisRead")
    | _keyed("Sid", "DTLogsAnalysis1Read558d71137e72"),
    st.just({})
    | _keyed(
        "Condition",
        {"Bool": {"aws:SecureTransport": "false"}},
        {"Bool": {"aws:SecureTransport": False}},
        {"StringEquals": {"aws:SourceAccount": ["123456789012"]}},
    ),
    # An element that AWS may introduce
    st.dictionaries(st.just("Comment"), json_values, max_size=1),
)


@st.composite
def policies(draw: st.DrawFn, empty: bool = True) -> str | None:
    """Draw a bucket policy that somebody else wrote, or None if it may be `empty`."""
    statements = draw(st.lists(_foreign_statements, min_size=0 if empty else 1, max_size=4))
    if not statements:
        return None
    versions = st.sampled_from(["2012-10-17", "2008-10-17"])
    whose = {"Id": st.just("of the customer")}
    document = draw(st.fixed_dictionaries({"Version": versions}, optional=whose))
    single = len(statements) == 1 and draw(st.booleans())
    document["Statement"] = statements[0] if single else statements
    return json.dumps(document, indent=draw(st.sampled_from([None, 2])))


def _entries(key: str, service: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a strategy for somebody else's notifications of one kind."""
    name = st.sampled_from(["prefix", "Prefix"])
    rule = st.fixed_dictionaries({"Name": name, "Value": st.sampled_from(["img/", "a+b%2F", ""])})
    events = st.sampled_from(["s3:ObjectRemoved:*", "s3:ObjectCreated:Put", "s3:TestEvent"])
    arns = [f"arn:aws:{service}:us-east-1:123456789012:{each}" for each in "ab"]
    given = {
        key: st.sampled_from(arns),
        "Events": st.lists(events, min_size=1, max_size=2, unique=True),
    }
    optional = {
        "Id": st.sampled_from(["theirs", "dt-logs-analysis", "tf-s3-1"]),
        "Filter": st.builds(lambda found: {"Key": {"FilterRules": [found]}}, rule),
    }
    entry = st.fixed_dictionaries(given, optional=optional)
    return st.lists(entry, min_size=1, max_size=2)


def configurations() -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for a bucket's whole notification configuration, EventBridge included."""
    lists = {
        "TopicConfigurations": _entries("TopicArn", "sns"),
        "QueueConfigurations": _entries("QueueArn", "sqs"),
        "LambdaFunctionConfigurations": _entries("LambdaFunctionArn", "lambda"),
        "EventBridgeConfiguration": st.just({}),
    }
    return st.fixed_dictionaries({}, optional=lists)
