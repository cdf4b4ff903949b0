"""JSON documents as AWS writes them: parsing, and comparing by meaning."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias, Union

# `X | Y` cannot hold the forward references at run time.
Json: TypeAlias = Union[dict[str, "Json"], list["Json"], str, int, float, bool, None]  # noqa: UP007
Statement: TypeAlias = dict[str, Json]


_ACCOUNT = re.compile(r"(?:arn:[^:]+:iam::)?([0-9]{12})(?::root)?")


def parsed(text: str) -> dict[str, Json]:
    """Parse a policy document; raises ValueError where it is no JSON object."""
    document: Json = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def compact(value: object) -> str:
    """Serialise without white space, which counts towards AWS's size limits."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def listed(value: Json) -> list[Json]:
    """Return a value that AWS lets one write singly or as a list as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def texts(value: Json) -> list[str]:
    """Return the strings of a value that is one string or a list of them."""
    return [item for item in listed(value) if isinstance(item, str)]


def statements(document: Mapping[str, Json]) -> Iterator[Statement]:
    """Yield a policy's statements; AWS accepts a single one without a list."""
    for statement in listed(document.get("Statement")):
        if isinstance(statement, dict):
            yield statement


def same(one: str | None, other: str | None) -> bool:
    """Tell whether two policies mean the same, statement order included."""
    if one is None or other is None:
        return one is other
    return _meaning(parsed(one)) == _meaning(parsed(other))


def same_statement(one: Statement, other: Statement) -> bool:
    """Tell whether two statements mean the same."""
    return _meaning(one) == _meaning(other)


def _meaning(value: Json) -> object:
    match value:
        case dict():
            return {
                name: [_meaning(each) for each in listed(inner)]
                if name == "Statement"
                else _meaning(inner)
                for name, inner in value.items()
            }
        case list() if all(isinstance(item, str) for item in value):
            return (
                sorted(str(_meaning(each)) for each in value)
                if len(value) != 1
                else _meaning(value[0])
            )
        case list():
            return [_meaning(item) for item in value]
        case bool():
            return str(value).lower()
        case str() if account := _ACCOUNT.fullmatch(value):
            return account[1]  # S3 shows an account as the ARN of its root
        case _:
            return value
