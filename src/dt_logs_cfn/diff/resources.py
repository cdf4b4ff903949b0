"""What becomes of a stack's resources: made, changed in place, replaced, or gone."""

from collections.abc import Callable, Iterator, Mapping

from dt_logs_cfn.diff.change import Change, Level
from dt_logs_cfn.diff.patterns import Reader, exact
from dt_logs_cfn.diff.rights import PROPERTIES, ROLE, compare_roles
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template.json_tree import mappings
from dt_logs_handler.documents import Json

# The properties of a type, as paths, that only a replacement changes; None: not known.
CreateOnly = Callable[[str], tuple[tuple[str, ...], ...] | None]

FUNCTION = "AWS::Lambda::Function"

# Whoever changes these runs other code, or the code under other rights.
_RUNS = frozenset({"Environment", "Handler", "Layers", "Role"})

_MOST_ROLES = 8

# What decides whether a resource is there, and what stays of one that is not.
_ATTRIBUTES = {
    "Condition": Level.MAJOR,
    "DeletionPolicy": Level.MINOR,
    "UpdateReplacePolicy": Level.MINOR,
}


def compare_resources(
    old: Mapping[str, Json],
    new: Mapping[str, Json],
    readers: tuple[Reader, Reader],
    create_only: CreateOnly,
) -> Iterator[Change]:
    """Yield what changes between two templates' sections `Resources`, rights included.

    The code of functions is left to `handler`. Raises VerifyError for policies that cannot be.
    """
    if sum(_type(each) == ROLE for each in new.values()) > _MOST_ROLES:
        raise VerifyError(
            "The template has more roles than can be compared.",
            "Read its policies yourself; no release has such a one.",
        )
    for name in sorted(old.keys() - new.keys()):
        yield Change(Level.MAJOR, "resource", f"{name} ({_type(old[name])}) is gone")
    for name, declared in new.items():
        before, after = _mapping(old.get(name)), _mapping(declared)
        if not isinstance(declared, dict) or not isinstance(old.get(name, {}), dict):
            if _differ(old, new, name):
                yield _untold(name)
            continue
        if name in old:
            yield from _compared(name, before, after, create_only)
        else:
            yield _added(name, after)
        if _type(after) == ROLE:
            former = before if _type(before) == ROLE else {}
            yield from compare_roles(name, former, after, readers)


def _compared(
    name: str, old: Mapping[str, Json], new: Mapping[str, Json], create_only: CreateOnly
) -> Iterator[Change]:
    kinds = _type(old), _type(new)
    if kinds[0] != kinds[1]:
        what = f"{name} is replaced: it was {kinds[0]}, and is {kinds[1]}"
        yield Change(Level.MAJOR, "resource", what)
    else:
        yield from _attributes(name, old, new)
        parts = [each.get("Properties", {}) for each in (old, new)]
        if all(isinstance(each, dict) for each in parts):
            before, after = map(_mapping, parts)
            yield from _properties(name, new, before, after, create_only)
        elif _differ(old, new, "Properties"):
            yield _untold(name)


def _added(name: str, resource: Mapping[str, Json]) -> Change:
    if _gives_rights(resource):
        what = f"{name} ({_type(resource)}) is new and may give rights"
        return Change(Level.MAJOR, "right", what)
    return Change(Level.MINOR, "resource", f"{name} ({_type(resource)}) is new")


def _attributes(name: str, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    for attribute in sorted(old.keys() | new.keys()):
        if attribute != "Properties" and _differ(old, new, attribute):
            level = _ATTRIBUTES.get(attribute, Level.PATCH)
            yield Change(level, "resource", f"{name}: {attribute} changes")


def _properties(
    name: str,
    resource: Mapping[str, Json],
    old: Mapping[str, Json],
    new: Mapping[str, Json],
    create_only: CreateOnly,
) -> Iterator[Change]:
    kind = _type(resource)
    elsewhere = {FUNCTION: frozenset({"Code"}), ROLE: PROPERTIES}.get(kind, frozenset())
    names = sorted((old.keys() | new.keys()) - elsewhere)
    changed = [each for each in names if _differ(old, new, each)]
    if not changed:
        return
    paths = (("ServiceToken",),) if kind.startswith("Custom::") else create_only(kind)
    replacing, gives_rights = _replacing(old, new, paths or ()), _gives_rights(resource)
    for each in changed:
        if each in replacing:
            what = f"{name} may be replaced, since its {each} changes"
            yield Change(Level.MAJOR, "resource", what)
        elif paths is None:
            what = f"{name}: {each} changes; what that does to a {kind} is not known"
            yield Change(Level.MAJOR, "resource", what)
        elif gives_rights:
            yield Change(Level.MAJOR, "right", f"{name}: {each} changes, and may give rights")
        else:
            yield _in_place(name, kind, each, old.get(each))


def _in_place(name: str, kind: str, changed: str, before: Json) -> Change:
    match before:
        case {"Ref": str(parameter)} if kind.startswith("Custom::"):
            what = f"{name}: {changed} is no longer what the customer gives as {parameter}"
            return Change(Level.MAJOR, "resource", what)
    if kind == FUNCTION and changed in _RUNS:
        what = f"{name}: {changed} changes, and so what runs, or under which rights"
        return Change(Level.MAJOR, "resource", what)
    again = ", so that its function runs again" if kind.startswith("Custom::") else ""
    return Change(Level.PATCH, "resource", f"{name}: {changed} changes{again}")


def _gives_rights(resource: Mapping[str, Json]) -> bool:
    """Tell whether a resource hands out rights that are not compared one by one."""
    kind = _type(resource)
    return kind != ROLE and (
        not kind
        or kind.startswith("AWS::IAM::")
        or kind.endswith("Permission")
        or any("Statement" in each for _, each in mappings(dict(resource)))
    )


def _replacing(
    old: Mapping[str, Json], new: Mapping[str, Json], paths: tuple[tuple[str, ...], ...]
) -> set[str]:
    """Return the properties of which a part changes that only a replacement changes."""
    return {path[0] for path in paths if exact(_at(dict(old), path)) != exact(_at(dict(new), path))}


def _at(value: Json, path: tuple[str, ...]) -> Json:
    """Return what is at a path; where a function stands in the way, the function."""
    if not path:
        return value
    match value:
        case list():
            return [_at(each, path[1:] if path[0] == "*" else path) for each in value]
        case dict() if any(key.startswith("Fn::") for key in value):
            return value
        case dict():
            return _at(value.get(path[0]), path[1:])
    return value


def _untold(name: str) -> Change:
    return Change(Level.MAJOR, "resource", f"{name}: what changes cannot be told")


def _differ(old: Mapping[str, Json], new: Mapping[str, Json], name: str) -> bool:
    return (name in old) != (name in new) or exact(old.get(name)) != exact(new.get(name))


def _type(resource: object) -> str:
    kind = resource.get("Type") if isinstance(resource, Mapping) else None
    return kind if isinstance(kind, str) else ""


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
