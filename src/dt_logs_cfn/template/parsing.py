"""Read an untrusted template, without running anything in it, and walk through JSON values."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dt_logs_cfn import files
from dt_logs_cfn.errors import VerifyError
from dt_logs_handler.documents import Json, listed

JsonPath = tuple[str, ...]

# The size of the largest template that CloudFormation accepts from S3.
LIMIT = 1_000_000

# Our templates have at most twenty levels; many more would exceed the recursion limit.
MOST_LEVELS = 100

_EFFECT = re.compile(r'"Effect"\s*:')  # in JSON, only policy statements have this key
_FIX = "Give the template as it was published; it may be damaged or another file."


def read_template(path: Path) -> str:
    """Return the text of a template file.

    Raises VerifyError if the file cannot be read, is larger than CloudFormation's limit, or is not
    UTF-8 text.
    """
    return decoded(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file. Raises VerifyError if it cannot be read or is too large."""
    try:
        content = files.read_bytes(path, LIMIT + 1)
    except OSError as error:
        raise VerifyError(
            f"{path} cannot be read: {error.strerror or error}.", "Give the path of a template."
        ) from error
    if len(content) > LIMIT:
        raise VerifyError(f"{path} has more than {LIMIT:,} bytes.", _FIX)
    return content


def decoded(content: bytes, name: str) -> str:
    """Return bytes as text. Raises VerifyError if they are not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise VerifyError(f"{name} is not UTF-8 text.", _FIX) from error


def parse_template(text: str, name: str = "This") -> dict[str, Json]:
    """Return a template as JSON values; errors call it `name`.

    Raises VerifyError if the text is not a JSON object with resources, nests too deeply, or repeats
    a name in an object: a reader might see one value, and CloudFormation the other.
    """
    try:
        template: Json = json.loads(text, object_pairs_hook=_once, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        raise VerifyError(f"{name} is not a JSON template, or it is truncated.", _FIX) from error
    if _nests_deeper(template, MOST_LEVELS):
        raise VerifyError(f"{name} nests deeper than any template.", _FIX)
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise VerifyError(f"{name} is JSON, but not a CloudFormation template.", _FIX)
    return template


def mapping(value: Json) -> dict[str, Json]:
    """Return a value if it is an object, otherwise an empty object."""
    return value if isinstance(value, dict) else {}


def children(value: Json) -> Iterator[tuple[str, Json]]:
    """Yield the direct members of a value, by key or by position in a list."""
    match value:
        case dict():
            yield from value.items()
        case list():
            yield from ((str(number), item) for number, item in enumerate(value))


def mappings(value: Json, path: JsonPath = ()) -> Iterator[tuple[JsonPath, dict[str, Json]]]:
    """Yield every object in a value with its path, the outermost first."""
    if isinstance(value, dict):
        yield path, value
    for key, item in children(value):
        yield from mappings(item, (*path, key))


def strings(value: Json, path: JsonPath = ()) -> Iterator[tuple[JsonPath, str]]:
    """Yield every string in a value, except keys, with its path."""
    if isinstance(value, str):
        yield path, value
    for key, item in children(value):
        yield from strings(item, (*path, key))


def differences(found: Json, expected: Json, path: JsonPath = ()) -> Iterator[tuple[JsonPath, str]]:
    """Yield each path at which two values differ, and how: added, missing or changed.

    As in JSON, but unlike in Python, a number never equals a boolean.
    """
    if type(found) is type(expected) and isinstance(found, dict | list):
        ours, theirs = dict(children(expected)), dict(children(found))
        for key in ours | theirs:
            place = (*path, key)
            if key not in theirs:
                yield place, "missing"
            elif key not in ours:
                yield place, "added"
            else:
                yield from differences(theirs[key], ours[key], place)
    elif type(found) is not type(expected) or found != expected:
        yield path, "changed"


def statements_in(value: Json) -> Iterator[tuple[JsonPath, dict[str, Json]]]:
    """Yield each policy statement in a value with its path, also from within an `Fn::If`."""
    return ((path, found) for path, found in mappings(value) if "Effect" in found)


def policy_texts(value: Json, path: JsonPath = ()) -> Iterator[tuple[JsonPath, Json]]:
    """Yield each policy written as text, plain or in a function like `Fn::Sub`, with its path."""
    for key, item in children(value):
        place = (*path, key)
        if key != "ZipFile" and _is_text(item) and any(_EFFECT.search(t) for _, t in strings(item)):
            yield place, item
        else:
            yield from policy_texts(item, place)


def managed_policies(template: Mapping[str, Json], value: Json) -> Iterator[tuple[JsonPath, Json]]:
    """Yield each managed policy that a value attaches, with the path of its list.

    Policies that the template itself defines are left out, because their statements are in it.
    """
    own = [{"Ref": name} for name, _ in children(template.get("Resources"))]
    for path, found in mappings(value):
        for each in listed(found.get("ManagedPolicyArns")):
            if each not in own:
                yield (*path, "ManagedPolicyArns"), each


def _once(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name appears twice")
    return result


def _nests_deeper(value: Json, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [child for each in level for _, child in children(each)]
        if not level:
            return False
    return True


def _no_json(constant: str) -> Json:
    raise ValueError(f"{constant} is not a JSON value")


def _is_text(value: Json) -> bool:
    """Return whether a value is a string or a function that returns one, except `Fn::If`."""
    if isinstance(value, dict):
        return len(value) == 1 and any(k != "Fn::If" and k.startswith("Fn::") for k in value)
    return isinstance(value, str)
