"""Policies are compared by meaning, because AWS writes the same thing in several ways."""

import json
from typing import Any

import pytest
from hypothesis import given
from support.strategies import STEADY, json_values, policies

from dt_logs_handler.documents import compact, parsed, same

BASE: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "One",
            "Effect": "Allow",
            "Principal": {"AWS": ["111122223333", "444455556666"]},
            "Action": ["s3:GetObject"],
            "Resource": "arn:aws:s3:::logs/*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}},
        }
    ],
}


BOTH = ({"Sid": "1", "Effect": "Allow"}, {"Sid": "2", "Effect": "Allow"})


def changed(**elements: object) -> str:
    """Return the policy with elements of its statement changed."""
    return json.dumps({**BASE, "Statement": [{**BASE["Statement"][0], **elements}]})


@pytest.mark.parametrize(
    "other",
    [
        json.dumps(BASE, indent=2, sort_keys=True),
        json.dumps({**BASE, "Statement": BASE["Statement"][0]}),
        changed(Action="s3:GetObject"),
        changed(Resource=["arn:aws:s3:::logs/*"]),
        changed(Principal={"AWS": ["444455556666", "111122223333"]}),
        changed(Condition={"Bool": {"aws:SecureTransport": True}}),
        changed(Condition={"Bool": {"aws:SecureTransport": ["true"]}}),
    ],
)
def test_other_form_means_the_same(other: str) -> None:
    assert same(json.dumps(BASE), other)


@pytest.mark.parametrize(
    "other",
    [
        None,
        json.dumps({**BASE, "Version": "2008-10-17"}),
        json.dumps({**BASE, "Id": "x"}),
        json.dumps({**BASE, "Statement": BASE["Statement"] * 2}),
        changed(Effect="Deny"),
        changed(Sid="Two"),
        changed(Action="s3:getobject"),
        changed(Principal={"AWS": "111122223333"}),
        changed(Principal="*"),
        changed(Condition={"Bool": {"aws:SecureTransport": "false"}}),
        changed(Condition={}),
    ],
)
def test_other_content_is_another_policy(other: str | None) -> None:
    """S3 keeps the order of statements, so the customer's statements must keep their order."""
    assert not same(json.dumps(BASE), other)
    one, two = ({"Statement": [*each]} for each in (BOTH, BOTH[::-1]))
    assert not same(json.dumps(one), json.dumps(two))


@STEADY
@given(policies(), policies())
def test_sameness_is_an_equivalence(one: str | None, other: str | None) -> None:
    assert same(one, one)
    assert same(one, other) == same(other, one)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "7", '"x"', "null"])
def test_what_is_no_object_is_no_policy(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)


@STEADY
@given(json_values)
def test_compact_json_keeps_the_value(value: object) -> None:
    assert json.loads(compact(value)) == value


def test_lone_surrogate_is_escaped_because_utf_8_cannot_encode_it() -> None:
    text = compact({"Resource": "\ud83d/ü"})
    assert text.encode() == b'{"Resource":"\\ud83d/\xc3\xbc"}'
    assert json.loads(text) == {"Resource": "\ud83d/ü"}
