"""Walk through JSON values, with the path to each."""

from collections.abc import Iterator

from dt_logs_handler.documents import Json

Path = tuple[str, ...]


def children(value: Json) -> Iterator[tuple[str, Json]]:
    """Yield the direct members of a value, by key or by position in a list."""
    match value:
        case dict():
            yield from value.items()
        case list():
            yield from ((str(number), item) for number, item in enumerate(value))


def mappings(value: Json, path: Path = ()) -> Iterator[tuple[Path, dict[str, Json]]]:
    """Yield every object in a value with its path, the outermost first."""
    if isinstance(value, dict):
        yield path, value
    for key, item in children(value):
        yield from mappings(item, (*path, key))


def strings(value: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every string in a value with its path, except keys."""
    if isinstance(value, str):
        yield path, value
    for key, item in children(value):
        yield from strings(item, (*path, key))


def differences(found: Json, expected: Json, path: Path = ()) -> Iterator[tuple[Path, str]]:
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
