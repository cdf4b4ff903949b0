"""`diff`: tell in words what a customer gets who goes from one release, or template, to another."""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dt_logs_cfn import canonical
from dt_logs_cfn.diff import Change, Level, compare_templates, level, source_diffs
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template.parsing import LIMIT, decoded, parse_template, read_template
from dt_logs_cfn.verify import fetching
from dt_logs_cfn.versions import is_version
from dt_logs_handler.documents import Json

Fetch = Callable[[str, int], bytes]

_PATTERN = "*.template.json"
_WIDTH = 400


@dataclass(frozen=True)
class _Side:
    """The templates of OLD or NEW by their names; `single` if it is one template, no release."""

    templates: Mapping[str, str]
    single: bool


@dataclass(frozen=True)
class _Report:
    """What was found, by the templates' names."""

    changes: Mapping[str, tuple[Change, ...]]
    diffs: Mapping[str, Mapping[str, str]]

    @property
    def level(self) -> Level:
        return max(map(level, self.changes.values()), default=Level.IDENTICAL)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `diff`."""
    what = "a template, a release's folder, a version in build/, or a template's https URL"
    parser.add_argument("old", metavar="OLD", help=what)
    parser.add_argument("new", metavar="NEW", help="likewise")
    parser.add_argument("--json", action="store_true", help="print it for a program")


def run(arguments: argparse.Namespace, fetch: Fetch = fetching.fetch) -> int:
    """Print what changes, the worst first, and how the sources do; answer 1 if anything does."""
    report = _compared(_read(arguments.old, fetch), _read(arguments.new, fetch))
    if arguments.json:
        sys.stdout.write(canonical.dumps(_for_programs(report)))
    else:
        print(f"{_named(arguments.old)} -> {_named(arguments.new)}: {report.level.word}")
        _print(report)
    return 1 if report.level else 0


def _read(given: str, fetch: Fetch) -> _Side:
    if fetching.is_url(given):
        name = given.partition("?")[0].rpartition("/")[2]
        return _Side({name: decoded(fetch(given, LIMIT), fetching.shown(given))}, True)
    path = Path("build", given) if is_version(given) else Path(given)
    if not path.is_dir() and not is_version(given):
        return _Side({path.name: read_template(path)}, True)
    found = {each.name: read_template(each) for each in sorted(path.glob(_PATTERN))}
    if not found:
        raise VerifyError(
            f"There is no template in {path}.", "Give a release's folder, or one template."
        )
    return _Side(found, False)


def _named(given: str) -> str:
    """Return what was given as one line, a URL without its query."""
    return _line(fetching.shown(given) if fetching.is_url(given) else given)


def _compared(old: _Side, new: _Side) -> _Report:
    before, after = _paired(old, new)
    changes: dict[str, tuple[Change, ...]] = {}
    diffs: dict[str, dict[str, str]] = {}
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            changes[name] = (Change(Level.MINOR, "template", "the template is new"),)
        elif name not in after:
            changes[name] = (Change(Level.MAJOR, "template", "the template is gone"),)
        else:
            changes[name] = compare_templates(before[name], after[name])
            diffs[name] = source_diffs(_resources(before[name]), _resources(after[name]))
    return _Report(changes, diffs)


def _paired(
    old: _Side, new: _Side
) -> tuple[dict[str, dict[str, Json]], dict[str, dict[str, Json]]]:
    """Return both sides' templates under the same names; one template has its namesake only."""
    before, after = (
        {name: parse_template(text) for name, text in each.templates.items()} for each in (old, new)
    )
    if old.single and new.single:
        return {name: each for name in after for each in before.values()}, after
    if old.single or new.single:
        (name,) = before if old.single else after
        if name not in before or name not in after:
            raise VerifyError(
                f"The release has no template {_line(name)}.", "Give two files, or two releases."
            )
        return {name: before[name]}, {name: after[name]}
    return before, after


def _resources(template: Mapping[str, Json]) -> dict[str, Json]:
    found = template["Resources"]
    return found if isinstance(found, dict) else {}


def _print(report: _Report) -> None:
    for name, changes in report.changes.items():
        if changes:
            print(f"\n{_line(name)}")
        for change in changes:
            print(f"  {change.level.word:<5}  {_line(change.what)}")
    for names, files in _grouped(report.diffs).items():
        print(f"\nThe handler's sources in {_line(' and '.join(names))}")
        for diff in files.values():
            print("\n".join(map(_line, diff.rstrip("\n").split("\n"))))


def _grouped(diffs: Mapping[str, Mapping[str, str]]) -> dict[tuple[str, ...], Mapping[str, str]]:
    """Return the sources' diffs, each once with all the templates that have it."""
    found: list[tuple[list[str], Mapping[str, str]]] = []
    for name, files in diffs.items():
        same = [names for names, others in found if others == files]
        if same:
            same[0].append(name)
        elif files:
            found.append(([name], files))
    return {tuple(names): files for names, files in found}


def _for_programs(report: _Report) -> dict[str, object]:
    return {
        "level": report.level.word,
        "changes": [
            {"level": each.level.word, "template": name, "kind": each.kind, "what": each.what}
            for name, changes in report.changes.items()
            for each in changes
        ],
        "handler": [
            {"templates": list(names), "file": file, "diff": diff}
            for names, files in _grouped(report.diffs).items()
            for file, diff in files.items()
        ],
    }


def _line(text: str) -> str:
    """Return a text that anybody may have written as one line that drives no terminal."""
    kept, more = text[:_WIDTH], len(text) - _WIDTH
    line = "".join(each if " " <= each <= "~" or each == "\t" else _escaped(each) for each in kept)
    return f"{line}... and {more:,} characters more, see --json" if more > 0 else line


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
