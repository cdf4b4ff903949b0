"""What a customer gets who goes from one release, or template, to another: pure, no files read.

    template, template ─► parameters, resources, rights, handler ─► Change … ─► Level

CONTRIBUTING.md, "Versions", has the rules in short.
"""

from collections.abc import Iterator, Mapping

from dt_logs_cfn.diff.change import Change, Level, enough
from dt_logs_cfn.diff.handler import compare_handlers, source_diffs
from dt_logs_cfn.diff.parameters import compare_parameters
from dt_logs_cfn.diff.patterns import Reader, exact
from dt_logs_cfn.diff.replacement import create_only
from dt_logs_cfn.diff.resources import CreateOnly, compare_resources
from dt_logs_cfn.template.json_tree import differences, mappings
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_cfn.template.templates import RECORD
from dt_logs_handler.documents import Json

__all__ = [
    "Change",
    "Level",
    "compare_templates",
    "enough",
    "level",
    "required",
    "source_diffs",
]

# What a customer asks for first; resources are looked at even if alike, for their conditions.
_ORDER = ("Resources", "Parameters", "Outputs", "Rules", "Conditions", "Metadata", "Description")


def required(old_templates: Mapping[str, str], new_templates: Mapping[str, str]) -> Level:
    """Return what the version of a release must become, from its templates' texts by file name.

    A template gone is major, a new one minor. Raises VerifyError for a text that is no template.
    """
    if old_templates.keys() - new_templates.keys():
        return Level.MAJOR
    found = [
        level(compare_templates(parse_template(text), parse_template(new_templates[name])))
        for name, text in old_templates.items()
    ]
    added = new_templates.keys() - old_templates.keys()
    return max(found + [Level.MINOR] * bool(added), default=Level.IDENTICAL)


def level(changes: tuple[Change, ...]) -> Level:
    """Return the weight of several changes together."""
    return max((each.level for each in changes), default=Level.IDENTICAL)


def compare_templates(
    old: Mapping[str, Json], new: Mapping[str, Json], replaces: CreateOnly = create_only
) -> tuple[Change, ...]:
    """Return what changes between two parsed templates, the worst first; none: they mean the same.

    `replaces` knows which properties only a replacement changes. Raises VerifyError for policies
    beyond what IAM takes.
    """
    found = dict.fromkeys(_changes(old, new, replaces))
    return tuple(sorted(found, key=lambda each: -each.level))


def _changes(
    old: Mapping[str, Json], new: Mapping[str, Json], replaces: CreateOnly
) -> Iterator[Change]:
    if _runs_macro(new) and exact(old) != exact(new):
        what = "a macro writes parts of the template, and what it writes cannot be told"
        yield Change(Level.MAJOR, "section", what)
    for name in sorted(old.keys() | new.keys(), key=_place):
        before, after = old.get(name, {}), new.get(name, {})
        if exact(before) == exact(after) and name != "Resources":
            continue
        found: list[Change] = []
        if isinstance(before, dict) and isinstance(after, dict):
            readers = Reader(_section(old, "Conditions")), Reader(_section(new, "Conditions"))
            found = [*_of_section(name, before, after, readers, replaces)]
        elif name == "Description":
            found = [Change(Level.PATCH, "text", "the description changes")]
        yield from found
        if not found and exact(before) != exact(after):
            what = f"the section {name} changes, and what that does cannot be told"
            yield Change(Level.MAJOR, "section", what)


def _of_section(
    name: str,
    old: Mapping[str, Json],
    new: Mapping[str, Json],
    readers: tuple[Reader, Reader],
    replaces: CreateOnly,
) -> Iterator[Change]:
    match name:
        case "Resources":
            yield from compare_resources(old, new, readers, replaces)
            yield from compare_handlers(old, new)
        case "Parameters":
            yield from compare_parameters(old, new)
        case "Outputs":
            yield from _outputs(old, new)
        case "Rules":
            yield from _named("rule", old, new, Level.MAJOR)
        case "Conditions":
            yield from _named("condition", old, new, Level.MINOR)
        case "Metadata":
            yield from _metadata(old, new)


def _runs_macro(template: Mapping[str, Json]) -> bool:
    parts = mappings(dict(template))
    return "Transform" in template or any("Fn::Transform" in each for _, each in parts)


def _place(section: str) -> tuple[int, str]:
    return _ORDER.index(section) if section in _ORDER else len(_ORDER), section


def _outputs(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    for name in sorted(old.keys() - new.keys()):
        yield Change(Level.MAJOR, "output", f"output {name} is gone")
    for name, declared in new.items():
        if name not in old:
            yield Change(Level.MINOR, "output", f"output {name} is new")
            continue
        for path, _ in differences(declared, old[name]):
            part = path[0] if path else "it"
            # Other stacks may import it; or it is not there any more.
            level = Level.MAJOR if part in ("Export", "Condition", "it") else Level.PATCH
            yield Change(level, "output", f"output {name}: {part} changes")


def _named(
    kind: str, old: Mapping[str, Json], new: Mapping[str, Json], changed: Level
) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield Change(Level.MINOR, kind, f"{kind} {name} is gone")
        elif exact(old.get(name)) != exact(new[name]):
            how = "changes" if name in old else "is new"
            yield Change(changed, kind, f"{kind} {name} {how}")


def _metadata(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    for path, how in differences(dict(new), dict(old)):
        name = "/".join(path[1:]).removeprefix("Settings/")
        if path[0] != RECORD:
            yield Change(Level.PATCH, "text", f"metadata {path[0]} changes")
        elif name == "Version":
            yield Change(Level.PATCH, "version", "another version")
        else:
            level = Level.PATCH if path[-1] == "base_url" else Level.MAJOR
            yield Change(level, "setting", f"setting {name} {how}")


def _section(template: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    section = template.get(name)
    return section if isinstance(section, dict) else {}
