"""Compare resources: which ones an update creates, changes, replaces or removes."""

import re
from collections.abc import Iterator
from functools import cache

from dt_logs_cfn.diff.change import Change, Level, Object, differing, mapping
from dt_logs_cfn.diff.handler import compare_code
from dt_logs_cfn.diff.policies import rights_of
from dt_logs_cfn.diff.rights import compare_rights
from dt_logs_cfn.template.json_tree import mappings
from dt_logs_handler.documents import Json

FUNCTION, ROLE = "AWS::Lambda::Function", "AWS::IAM::Role"

# Properties that have a comparison of their own, and those that decide what code runs.
_ELSEWHERE = {FUNCTION: {"Code"}, ROLE: {"ManagedPolicyArns", "Policies"}}
_RUNS = {"Environment", "Handler", "Layers", "Role"}


@cache
def create_only(kind: str) -> frozenset[str] | None:
    """Return the properties of a type that only a replacement changes, or None if unknown.

    This includes properties of which only a part, or only some values, need a replacement
    [CloudFormation CLI user guide, resource type schema: createOnlyProperties,
    conditionalCreateOnlyProperties].
    """
    if kind.startswith("Custom::"):
        return frozenset({"ServiceToken"})
    if not re.fullmatch("[A-Za-z0-9]{1,64}(::[A-Za-z0-9]{1,64}){2}", kind):
        return None
    # It takes a second to import.
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    except ResourceNotFoundError:
        return None
    names = ("createOnlyProperties", "conditionalCreateOnlyProperties")
    return frozenset(each.split("/")[2] for name in names for each in schema.get(name) or ())


def compare_resources(old: Object, new: Object) -> Iterator[Change]:
    """Yield what changes in the resources of two templates."""
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
            more = " and may give rights" if _gives_rights(after) else ""
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
            yield from compare_code(name, before.get(each), after.get(each))


def _property(name: str, resource: Object, changed: str, before: Json) -> Change:
    """Return what the change of a property does to its resource."""
    kind, level, what = _type(resource), Level.MAJOR, f"{name}: {changed} changes"
    custom, replacing = kind.startswith("Custom::"), create_only(kind)
    if replacing is None:
        what += f"; what that does to {kind} is not known"
    elif changed in replacing:
        what = f"{name} may be replaced, since its {changed} changes"
    elif kind == ROLE and changed == "PermissionsBoundary":
        level = Level.MINOR if before is None else Level.MAJOR
    elif changed == "AssumeRolePolicyDocument" or (kind != ROLE and _gives_rights(resource)):
        what += ", and may give rights"
    elif kind == FUNCTION and changed in _RUNS:
        what += ", and so what runs, or under which rights"
    elif custom and (parameter := mapping(before).get("Ref")):
        what = f"{name}: {changed} is no longer what the customer gives as {parameter}"
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
