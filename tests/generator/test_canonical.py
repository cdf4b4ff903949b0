"""Equal values give equal bytes, in any order of their keys."""

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY, json_values

from dt_logs_cfn.canonical import dumps, readable

deep = json_values | st.dictionaries(
    st.sampled_from(["Type", "Properties", "Sid", "a", "b"]), json_values
)


def shuffled(value: Any, dice: random.Random) -> Any:
    match value:
        case dict():
            names = list(value)
            dice.shuffle(names)
            return {name: shuffled(value[name], dice) for name in names}
        case list():
            return [shuffled(item, dice) for item in value]
    return value


@STEADY
@given(deep, st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_no_byte(value: Any, dice: random.Random) -> None:
    assert dumps(value) == dumps(shuffled(value, dice))


@STEADY
@given(deep)
def test_it_is_json_of_the_same_value_in_ascii(value: Any) -> None:
    text = dumps(value)

    assert value == json.loads(text)
    assert text == dumps(json.loads(text))
    assert text.isascii()
    assert text.endswith("\n")
    assert "\r" not in text


@pytest.mark.parametrize("value", [1.5, {1, 2}, b"x", {"a": [object()]}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="canonical"):
        dumps(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        ("arn:aws:s3:::logs", "arn:aws:s3:::logs"),
        (["a", "b"], "a, b"),
        ('{"b":1,"a":0.5}', '{"a":"0.5","b":1}'),
        ("{no JSON", "{no JSON"),
        ({"Action": ["s3:Get*"], "Effect": "Allow"}, '{"Effect":"Allow","Action":["s3:Get*"]}'),
    ],
)
def test_values_are_readable(value: object, shown: str) -> None:
    assert readable(value) == shown
