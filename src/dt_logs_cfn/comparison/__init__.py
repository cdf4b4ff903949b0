"""What a customer gets who goes from one release, or template, to another: pure, no files read.

    template, template ─► parameters, resources, rights, handler ─► Change … ─► Level

CONTRIBUTING.md, "Versions", has the rules in short.
"""

from collections.abc import Iterator, Mapping

from dt_logs_cfn.comparison.change import Change, Level, enough, is_version
from dt_logs_cfn.comparison.handler import compare_handlers, source_diffs
from dt_logs_cfn.comparison.parameters import compare_parameters
from dt_logs_cfn.comparison.patterns import Reader, exact
from dt_logs_cfn.comparison.replacement import create_only
from dt_logs_cfn.comparison.resources import CreateOnly, compare_resources
from dt_logs_cfn.template_file import parse_template
from dt_logs_cfn.templates import RECORD
from dt_logs_cfn.walk import differences
from dt_logs_handler.documents import Json

__all__ = [
    "Change",
    "Level",
    "compare_templates",
    "enough",
    "is_version",
    "level",
    "required",
    "source_diffs",
]

# What is compared part by part; any other section is one that cannot be judged.
_SECTIONS = ("Description", "Metadata", "Parameters", "Rules", "Conditions", "Resources", "Outputs")


def required(old_templates: Mapping[str, str], new_templates: Mapping[str, str]) -> Level:
    """Return what the version of a release must become, from its templates' texts by file name.

    A template gone is major, a new one minor. Raises VerifyError for a text that is no template.
    """
    if old_templates.keys() - new_templates.keys():
        return Level.MAJOR
    new = Level.MINOR if new_templates.keys() - old_templates.keys() else Level.IDENTICAL
    found = (
        level(compare_templates(parse_template(text), parse_template(new_templates[name])))
        for name, text in old_templates.items()
    )
    return max(found, default=Level.IDENTICAL) if not new else max(new, *found)


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
    readers = Reader(_section(old, "Conditions")), Reader(_section(new, "Conditions"))
    resources = _section(old, "Resources"), _section(new, "Resources")
    yield from compare_resources(*resources, readers, replaces)
    yield from compare_parameters(_section(old, "Parameters"), _section(new, "Parameters"))
    yield from _outputs(_section(old, "Outputs"), _section(new, "Outputs"))
    yield from _named("rule", _section(old, "Rules"), _section(new, "Rules"), Level.MAJOR)
    yield from _named(
        "condition", _section(old, "Conditions"), _section(new, "Conditions"), Level.MINOR
    )
    yield from compare_handlers(*resources)
    yield from _metadata(_section(old, "Metadata"), _section(new, "Metadata"))
    for name in sorted(old.keys() | new.keys()):
        if exact(old.get(name)) == exact(new.get(name)):
            continue
        if name == "Description":
            yield Change(Level.PATCH, "text", "the description changes")
        elif name not in _SECTIONS or not _both_mappings(old.get(name), new.get(name)):
            what = f"the section {name} changes, and what that does cannot be told"
            yield Change(Level.MAJOR, "section", what)


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
        match path:
            case (section, "Version") if section == RECORD:
                yield Change(Level.PATCH, "version", "another version")
            case (section, *_, "base_url") if section == RECORD:
                yield Change(Level.PATCH, "setting", f"setting {'/'.join(path[2:])} {how}")
            case (section, *_) if section == RECORD:
                what = f"setting {'/'.join(path[1:])} {how}"
                yield Change(Level.MAJOR, "setting", what)
            case _:
                yield Change(Level.PATCH, "text", f"metadata {path[0]} changes")


def _both_mappings(old: Json, new: Json) -> bool:
    return all(each is None or isinstance(each, dict) for each in (old, new))


def _section(template: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    section = template.get(name)
    return section if isinstance(section, dict) else {}
