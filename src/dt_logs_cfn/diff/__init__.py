"""Find what an update from one template to another would change for a customer.

    template, template ─► parameters, resources, rights ─► Change …

CONTRIBUTING.md, "Versions", defines the levels. `rights` explains how policies are compared.
"""

from collections.abc import Iterator

from dt_logs_cfn.diff.change import Change, Level, Object, differing, exact, mapping
from dt_logs_cfn.diff.resources import compare_resources
from dt_logs_cfn.template.json_tree import differences, mappings
from dt_logs_cfn.template.templates import RECORD
from dt_logs_handler.documents import Json

__all__ = ["Change", "Level", "Object", "compare_templates"]

# The sections of a template, ordered by importance to a customer.
_ORDER = ["Resources", "Parameters", "Outputs", "Rules", "Conditions", "Metadata", "Description"]

# By section: a part's name, and the levels of a removed, new or changed part.
_NAMED = {
    "Conditions": ("condition", Level.MINOR, Level.MINOR, Level.MAJOR),
    "Outputs": ("output", Level.MAJOR, Level.MINOR, Level.PATCH),
    "Parameters": ("parameter", Level.MAJOR, Level.MAJOR, Level.MAJOR),
    "Rules": ("rule", Level.MINOR, Level.MAJOR, Level.MAJOR),
}

# A new default of one of these grants the logs to somebody else, or grants more logs.
RECIPIENT = frozenset({"DataTheoremAccountId", "NotificationEndpoint", "VendorReadScope"})

# Numeric constraints; a change in the direction of the sign allows more values.
_BOUNDS = {"MaxLength": 1, "MaxValue": 1, "MinLength": -1, "MinValue": -1}
_CONSTRAINTS = {*_BOUNDS, "AllowedPattern", "AllowedValues"}


def compare_templates(old: Object, new: Object) -> tuple[Change, ...]:
    """Return the changes between two parsed templates, the most important first."""
    found = dict.fromkeys(_changes(old, new))
    return tuple(sorted(found, key=lambda each: -each.level))


def _changes(old: Object, new: Object) -> Iterator[Change]:
    macro = any(each.keys() & {"Transform", "Fn::Transform"} for _, each in mappings(dict(new)))
    if macro and exact(old) != exact(new):
        what = "a macro writes parts of the template; its output is unknown"
        yield Change(Level.MAJOR, "section", what)
    for name in sorted(differing(old, new), key=lambda each: [*_ORDER, each].index(each)):
        before, after = old.get(name, {}), new.get(name, {})
        found: list[Change] = []
        if name == "Description":
            found.append(Change(Level.PATCH, "text", "the description changes"))
        elif isinstance(before, dict) and isinstance(after, dict):
            if name == "Metadata":
                found += _metadata(before, after)
            elif name == "Resources":
                found += compare_resources(old, new)
            elif name in _NAMED:
                for each in differing(before, after):
                    found += _part(name, each, before, after)
        if not found and exact(before) != exact(after):
            what = f"the section {name} changes; its effect is unknown"
            found.append(Change(Level.MAJOR, "section", what))
        yield from found


def _part(section: str, name: str, old: Object, new: Object) -> Iterator[Change]:
    """Yield the changes to a part of a section."""
    kind, gone, added, changed = _NAMED[section]
    before, after = mapping(old.get(name)), mapping(new.get(name))
    if name not in new:
        yield Change(gone, kind, f"{kind} {name} is gone")
    elif name not in old and "Default" in after:
        what = f"{kind} {name} is new, {exact(after['Default'])} by default"
        yield Change(Level.MINOR, kind, what)
    elif name not in old:
        must = " and is required" if section == "Parameters" else ""
        yield Change(added, kind, f"{kind} {name} is new{must}")
    elif section == "Parameters" and before and after:
        yield from _parameter(name, before, after)
    else:
        # Another stack may import the output, or the output may no longer exist.
        parts = {*differing(before, after)} if before and after else {"Condition"}
        hard = section == "Outputs" and parts & {"Condition", "Export"}
        yield Change(Level.MAJOR if hard else changed, kind, f"{kind} {name} changes")


def _metadata(old: Object, new: Object) -> Iterator[Change]:
    for path, how in differences(dict(new), dict(old)):
        name = "/".join(path[1:]).removeprefix("Settings/")
        if path[0] != RECORD:
            yield Change(Level.PATCH, "text", f"metadata {path[0]} changes")
        elif name == "Version":
            yield Change(Level.PATCH, "version", "another version")
        else:
            level = Level.PATCH if path[-1] == "base_url" else Level.MAJOR
            yield Change(level, "setting", f"setting {name} {how}")


def _parameter(name: str, old: Object, new: Object) -> Iterator[Change]:
    """Yield the changes to a parameter that both templates have."""
    for field in differing(old, new):
        before, after = old.get(field), new.get(field)
        was = f"was {exact(before)}, " if field in old else ""
        now = f"is now {exact(after)}" if field in new else "and is gone"
        level = _level(name, field, before, after)
        yield Change(level, "parameter", f"parameter {name}: {field} {was}{now}")


def _level(name: str, field: str, before: Json, after: Json) -> Level:
    match field, before, after:
        case (("ConstraintDescription" | "Description"), _, _):
            return Level.PATCH
        case "Default", _, _ if after is not None and name not in RECIPIENT:
            return Level.MINOR
        case "AllowedValues", [*old], [*new] if {*map(exact, old)} <= {*map(exact, new)}:
            return Level.MINOR
        case _, int(old), int(new) if (new - old) * _BOUNDS.get(field, 0) > 0:
            return Level.MINOR
        case _ if field == "NoEcho" or (after is None and field in _CONSTRAINTS):
            return Level.MINOR
    return Level.MAJOR  # fewer values are allowed, or the effect is unknown
