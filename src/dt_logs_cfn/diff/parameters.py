"""What a customer has to give, or may give no longer: two templates' parameters compared."""

from collections.abc import Iterator, Mapping

from dt_logs_cfn.diff.change import Change, Level
from dt_logs_cfn.diff.patterns import exact
from dt_logs_handler.documents import Json

# Whoever takes the default hands the logs to another, or more of them.
RECIPIENT = frozenset({"DataTheoremAccountId", "NotificationEndpoint", "VendorReadScope"})

# What a value has to fulfil; the sign says in which direction less is allowed.
_BOUNDS = {"MaxLength": -1, "MaxValue": -1, "MinLength": 1, "MinValue": 1}
_TEXTS = frozenset({"ConstraintDescription", "Description"})


def compare_parameters(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    """Yield what changes between two templates' sections `Parameters`."""
    for name in sorted(old.keys() - new.keys()):
        yield _change(Level.MAJOR, f"{name} is gone")
    for name, declared in new.items():
        parameter = _mapping(declared)
        if not isinstance(declared, dict) or not isinstance(old.get(name, {}), dict):
            if name not in old or exact(declared) != exact(old[name]):
                yield _change(Level.MAJOR, f"{name}: what changes cannot be told")
        elif name in old:
            yield from _changed(name, _mapping(old[name]), parameter)
        elif "Default" in parameter:
            yield _change(Level.MINOR, f"{name} is new, {exact(parameter['Default'])} by default")
        else:
            yield _change(Level.MAJOR, f"{name} is new and has to be given")


def _changed(name: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    for field in sorted(old.keys() | new.keys()):
        before, after = old.get(field), new.get(field)
        if exact(before) == exact(after):
            continue
        level = _level(name, field, before, after)
        yield _change(level, f"{name}: {field} {_from_to(before, after)}")


def _level(name: str, field: str, before: Json, after: Json) -> Level:
    if field in _TEXTS:
        return Level.PATCH
    if field == "Default":
        return Level.MAJOR if name in RECIPIENT or after is None else Level.MINOR
    if field == "NoEcho":
        return Level.MINOR
    constraint = field in _BOUNDS or field in ("AllowedPattern", "AllowedValues")
    if constraint and after is None:
        return Level.MINOR
    if field in _BOUNDS:
        return _bound(_BOUNDS[field], before, after)
    if field == "AllowedValues" and isinstance(before, list) and isinstance(after, list):
        return _values(before, after)
    return Level.MAJOR  # narrowed, or it cannot be judged


def _bound(direction: int, before: Json, after: Json) -> Level:
    """Judge a bound; CloudFormation takes a number as a text, too."""
    try:
        old, new = (float(each) for each in (before, after) if isinstance(each, str | int | float))
    except (ValueError, OverflowError):
        return Level.MAJOR
    return Level.MINOR if (new - old) * direction < 0 else Level.MAJOR


def _values(before: list[Json], after: list[Json]) -> Level:
    old, new = set(map(exact, before)), set(map(exact, after))
    if old - new:
        return Level.MAJOR
    return Level.MINOR if new - old else Level.PATCH


def _from_to(before: Json, after: Json) -> str:
    if before is None:
        return f"is now {exact(after)}"
    if after is None:
        return f"was {exact(before)}, and is gone"
    return f"was {exact(before)}, is now {exact(after)}"


def _change(level: Level, what: str) -> Change:
    return Change(level, "parameter", f"parameter {what}")


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
