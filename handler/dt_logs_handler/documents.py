"""Parse JSON documents as AWS writes them, and compare their meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from typing import TypeAlias

# `X | Y` cannot contain forward references at run time.
Json: TypeAlias = Union[dict[str, "Json"], list["Json"], str, int, float, bool, None]  # noqa: UP007
Statement: TypeAlias = dict[str, Json]
Configuration: TypeAlias = Mapping[str, Json]  # one setting of a bucket, as boto3 returns it

# An account as a principal: its ID, or the root ARN that S3 returns for it.
ACCOUNT = re.compile("(?:arn:[^:]+:iam::)?([0-9]{12})(?::root)?")


def parsed(text: str) -> dict[str, Json]:
    """Parse a policy document. Raises ValueError if it is not a JSON object."""
    document: Json = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def compact(value: object) -> str:
    """Serialise without whitespace or needless escapes; both count towards AWS's size limits."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="backslashreplace").decode()  # escapes a lone surrogate


def listed(value: Json) -> list[Json]:
    """Return a value as a list, empty for None; AWS accepts a single value without a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def texts(value: Json) -> list[str]:
    """Return the strings of a value that is a string or a list."""
    return [item for item in listed(value) if isinstance(item, str)]


def statements(document: Mapping[str, Json]) -> list[Statement]:
    """Return a policy's statements; AWS accepts a single statement without a list."""
    return [item for item in listed(document.get("Statement")) if isinstance(item, dict)]


def principals(value: Json, kind: str = "AWS") -> list[str]:
    """Return the principals of one kind that a value names; `*` alone counts as every kind."""
    return texts(value.get(kind) if isinstance(value, dict) else value)


def same(one: str | None, other: str | None) -> bool:
    """Return whether two policies mean the same, with their statements in the same order."""
    return same_statement(parsed(one or "{}"), parsed(other or "{}"))


def same_statement(one: Json, other: Json) -> bool:
    """Return whether two statements mean the same."""
    return _meaning(one) == _meaning(other)


def _meaning(value: Json) -> object:
    match value:
        case dict():
            return {
                key: _meaning(listed(each) if key == "Statement" else each)
                for key, each in value.items()
            }
        case [str(single)]:
            return _meaning(single)
        case list():
            items = [_meaning(item) for item in value]
            return sorted(items, key=str) if all(isinstance(i, str) for i in items) else items
        case bool():
            return str(value).lower()
        case str() if account := ACCOUNT.fullmatch(value):
            return account[1]
        case _:
            return value
