"""Find the changes that an update from one template to another makes for a customer.

    template, template ─► parameters, resources, rights ─► Change …
    release, folder of releases ─► problems: changed releases, or too low a version number

CONTRIBUTING.md, "Versions", defines the levels. `rights` explains how policies are compared.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from dt_logs_cfn.diff.change import Change, Level, Object, differing, exact
from dt_logs_cfn.diff.resources import compare_resources
from dt_logs_cfn.errors import ReleaseError
from dt_logs_cfn.release.build import Release
from dt_logs_cfn.release.catalogue import numbers
from dt_logs_cfn.release.folder import changed, is_released, released
from dt_logs_cfn.template.parsing import (
    differences,
    mapping,
    mappings,
    parse_template,
    read_template,
)
from dt_logs_cfn.template.templates import RECORD
from dt_logs_handler.documents import Json

# The sections of a template, ordered by importance to a customer.
_ORDER = ["Resources", "Parameters", "Outputs", "Rules", "Conditions", "Metadata", "Description"]

# For each section: the word for a part, and the levels of a removed, a new and a changed part.
_NAMED = {
    "Conditions": ("condition", Level.MINOR, Level.MINOR, Level.MAJOR),
    "Outputs": ("output", Level.MAJOR, Level.MINOR, Level.PATCH),
    "Parameters": ("parameter", Level.MAJOR, Level.MAJOR, Level.MAJOR),
    "Rules": ("rule", Level.MINOR, Level.MAJOR, Level.MAJOR),
}

# A new default for one of these may give others access to the logs, or access to more logs.
RECIPIENT = frozenset({"DataTheoremAccountId", "NotificationEndpoint", "VendorReadScope"})

# Numeric constraints; a change in the direction of the sign allows more values.
_BOUNDS = {"MaxLength": 1, "MaxValue": 1, "MinLength": -1, "MinValue": -1}
_CONSTRAINTS = {*_BOUNDS, "AllowedPattern", "AllowedValues"}


def compare_templates(old: Object, new: Object) -> tuple[Change, ...]:
    """Return the changes between two parsed templates, the most important first."""
    found = dict.fromkeys(_changes(old, new))
    return tuple(sorted(found, key=lambda each: -each.level))


def compare_releases(
    old: Mapping[str, Object], new: Mapping[str, Object]
) -> dict[str, tuple[Change, ...]]:
    """Return the changes to each template between two releases, given as templates by file name.

    A removed template is a major change, and a new template is a minor change.
    """
    gone = (Change(Level.MAJOR, "template", "the template is gone"),)
    added = (Change(Level.MINOR, "template", "the template is new"),)
    return {
        name: compare_templates(old[name], new[name])
        if name in old and name in new
        else (gone if name in old else added)
        for name in sorted(old.keys() | new.keys())
    }


def highest(changes: Mapping[str, tuple[Change, ...]]) -> Level:
    """Return the highest level of a release's changes."""
    levels = (each.level for found in changes.values() for each in found)
    return max(levels, default=Level.IDENTICAL)


def problems(release: Release, out: Path) -> tuple[str, ...]:
    """Return a line for each problem with the releases in the folder `out`.

    A problem is a released version with a changed file, or a version number that is too low for the
    changes since the last release. Raises ReleaseError if the list or a released version cannot be
    read, or if this source builds a released version differently. Raises VerifyError if a template
    of the last release is damaged.
    """
    is_released(release, out)
    found = [f"{out / name} is not what was released: restore it." for name in changed(out)]
    return (*found, *_says_enough(release, out))


def enough(old: str, new: str, level: Level) -> bool:
    """Return whether `new` may follow `old`, given the level of the changes between them.

    Before 1.0.0, a major change must raise the minor number, and any other change at least the
    patch number.
    Raises ValueError for a text that is not a version.
    """
    before, after = numbers(old), numbers(new)
    if level is Level.IDENTICAL:
        return before <= after
    significant = {Level.MAJOR: 1, Level.MINOR: 2, Level.PATCH: 3}[level]
    if before[0] == 0:
        significant = 2 if level is Level.MAJOR else 3
    return before[:significant] < after[:significant]


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
    """Yield the changes to a part of a section, such as one parameter."""
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
        # Another stack may import the old export; with a new condition, the output may be gone.
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
    return Level.MAJOR  # fewer values are allowed, others may get logs, or the effect is unknown


def _says_enough(release: Release, out: Path) -> tuple[str, ...]:
    now = numbers(release.version)
    before = [each for each in released(out) if numbers(each) < now]
    if not before:
        return ()
    last = max(before, key=numbers)
    files = (out / last).glob("*.template.json")
    old = {each.name: parse_template(read_template(each), str(each)) for each in files}
    if not old:
        raise ReleaseError(f"{out / last} has no template.", "Restore it from the repository.")
    new = {name: parse_template(text) for name, text in release.templates.items()}
    level = highest(compare_releases(old, new))
    if enough(last, release.version, level):
        return ()
    return (
        f"{release.version} is too small a step from {last}: the changes are {level}."
        f" `dt-logs-cfn diff {last} {release.version}` shows them; raise __version__.",
    )
