"""Find the resources that an update creates, changes, replaces or removes.

The code of a function is compared as text; it is never run.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache

from dt_logs_cfn.diff.change import Change, Level, Object, differing
from dt_logs_cfn.diff.rights import compare_rights, rights_of
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template import embedding
from dt_logs_cfn.template.parsing import mapping, mappings
from dt_logs_handler.documents import Json

FUNCTION, ROLE = "AWS::Lambda::Function", "AWS::IAM::Role"

# Properties that are compared separately, and properties that decide which code runs and what it
# may do.
_ELSEWHERE = {FUNCTION: {"Code"}, ROLE: {"ManagedPolicyArns", "Policies"}}
_RUNS = {"Environment", "Handler", "Layers", "Role"}

# Our handler has about 3,000 lines. The time to compare lines grows faster than their number.
_MOST_LINES = 20_000


@cache
def create_only(kind: str) -> frozenset[str] | None:
    """Return a type's properties that replace the resource if they change.

    The result is None for an unknown type. Some properties replace the resource only if a certain
    part changes, or only for some values [CloudFormation CLI user guide, resource type schema:
    createOnlyProperties, conditionalCreateOnlyProperties].
    """
    if kind.startswith("Custom::"):
        return frozenset({"ServiceToken"})
    if not re.fullmatch("[A-Za-z0-9]{1,64}(::[A-Za-z0-9]{1,64}){2}", kind):
        return None
    # Imported only here, because cfnlint is slow to import.
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    except ResourceNotFoundError:
        return None
    names = ("createOnlyProperties", "conditionalCreateOnlyProperties")
    return frozenset(each.split("/")[2] for name in names for each in schema.get(name) or ())


def compare_resources(old: Object, new: Object) -> Iterator[Change]:
    """Yield the changes between two templates' resources."""
    former, latter = mapping(old.get("Resources")), mapping(new.get("Resources"))
    for name in differing(former, latter):
        before, after = mapping(former.get(name)), mapping(latter.get(name))
        was, now = _type(before), _type(after)
        if name not in latter:
            yield Change(Level.MAJOR, "resource", f"{name} ({was}) is gone")
            continue
        if name in former and was == now:
            yield from _changed(name, before, after)
        else:
            level = Level.MAJOR if name in former or _gives_rights(after) else Level.MINOR
            how = f"replaces {was}" if name in former else "is new"
            more = " and may grant permissions" if _gives_rights(after) else ""
            yield Change(level, "resource", f"{name} ({now}) {how}{more}")
        parts = [mapping(each.get("Properties")) for each in (before, after)]
        if now == ROLE and _ELSEWHERE[ROLE] & {*differing(parts[0], parts[1])}:
            yield from compare_rights(name, rights_of(before, old), rights_of(after, new))


def _changed(name: str, old: Object, new: Object) -> Iterator[Change]:
    for attribute in differing(old, new):
        if attribute != "Properties":
            level = Level.MINOR if attribute.endswith("Policy") else Level.PATCH
            level = Level.MAJOR if attribute == "Condition" else level
            yield Change(level, "resource", f"{name}: {attribute} changes")
    before, after, kind = old.get("Properties", {}), new.get("Properties", {}), _type(new)
    if not isinstance(before, dict) or not isinstance(after, dict) or not kind:
        yield Change(Level.MAJOR, "resource", f"{name}: its change is unknown")
        return
    for each in differing(before, after):
        if each not in _ELSEWHERE.get(kind, ()):
            yield _property(name, new, each, before.get(each))
        elif kind == FUNCTION:
            yield from _code(name, before.get(each), after.get(each))


def _property(name: str, resource: Object, changed: str, before: Json) -> Change:
    """Return a property's change, with its effect on the resource."""
    kind, level, what = _type(resource), Level.MAJOR, f"{name}: {changed} changes"
    custom, replacing = kind.startswith("Custom::"), create_only(kind)
    if replacing is None:
        what += f"; its effect on {kind} is unknown"
    elif changed in replacing:
        what = f"{name} may be replaced, because its {changed} changes"
    elif kind == ROLE and changed == "PermissionsBoundary":
        level = Level.MINOR if before is None else Level.MAJOR
    elif changed == "AssumeRolePolicyDocument" or (kind != ROLE and _gives_rights(resource)):
        what += ", which may grant permissions"
    elif kind == FUNCTION and changed in _RUNS:
        what += ", and with it the code that runs, or its permissions"
    elif custom and (parameter := mapping(before).get("Ref")):
        what = f"{name}: {changed} no longer takes the customer's {parameter}"
    else:
        level = Level.PATCH
        what += ", so that its function runs again" if custom else ""
    return Change(level, "resource", what)


def _gives_rights(resource: Object) -> bool:
    """Return whether a resource may grant permissions."""
    kind = _type(resource)
    return (
        not kind
        or kind.startswith("AWS::IAM::")
        or kind.endswith("Permission")
        or any("Statement" in each for _, each in mappings(dict(resource)))
    )


def _type(resource: Object) -> str:
    kind = resource.get("Type")
    return kind if isinstance(kind, str) else ""


def _code(name: str, old: Json, new: Json) -> list[Change]:
    """Return the changes to the property `Code` of the function `name`."""
    try:
        return _files(name, _sources(old), _sources(new))
    except VerifyError as error:
        what = f"{name}: the code changes, and cannot be compared: {error.what}"
        return [Change(Level.MAJOR, "handler", what)]


def _sources(code: Json) -> dict[str, str]:
    match code:
        case {"ZipFile": str(text), **rest} if not rest:
            packed = embedding.unpack(embedding.extract(text))
            return {name: content.decode() for name, content in packed.items()}
    raise VerifyError("The function's code is not in the template.", "Take it from a release.")


def _files(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    files = [each for each in sorted(old.keys() | new.keys()) if old.get(each) != new.get(each)]
    if sum(each.get(file, "").count("\n") for file in files for each in (old, new)) > _MOST_LINES:
        raise VerifyError("It has too many lines.", "Extract both with `verify`, and compare.")
    if not files:
        return [Change(Level.PATCH, "handler", f"{name}: the same sources, packed differently")]
    found = []
    for file in files:
        how = "is new" if file not in old else "is gone" if file not in new else "changes"
        diff = _diff(file, old.get(file), new.get(file))
        found.append(Change(Level.PATCH, "handler", f"{name}: {file} {how}", file, diff))
    return found


def _diff(name: str, old: str | None, new: str | None) -> str:
    # Split only at line feeds: the other characters at which `splitlines` splits stay visible.
    before, after = (each.removesuffix("\n").split("\n") if each else [] for each in (old, new))
    was = os.devnull if old is None else f"old/{name}"
    now = os.devnull if new is None else f"new/{name}"
    return "\n".join(difflib.unified_diff(before, after, was, now, lineterm=""))
