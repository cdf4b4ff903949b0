"""`diff`: compare two releases, or two templates."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from dt_logs_cfn import __version__
from dt_logs_cfn.cli.terminal import result, shown_ascii
from dt_logs_cfn.diff import compare_releases, highest
from dt_logs_cfn.diff.change import Change, Level, Object
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.release.build import installed_templates
from dt_logs_cfn.release.catalogue import is_version
from dt_logs_cfn.template.parsing import LIMIT, decoded, parse_template, read_template
from dt_logs_cfn.verify import fetching

Fetch = Callable[[str, int], bytes]
Templates = dict[str, Object]  # by file name
Changes = Mapping[str, tuple[Change, ...]]

_WIDTH = 400


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `diff`."""
    what = "a template, a release's folder, a version in build/, or a template's https URL"
    parser.add_argument("old", metavar="OLD", help=what)
    parser.add_argument(
        "new", metavar="NEW", nargs="?", help="like OLD (default: the installed version)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace, fetch: Fetch = fetching.fetch) -> int:
    """Print the changes, most important first, and the sources' diffs; return 1 for a change."""
    changes = _compared(_read(arguments.old, fetch), _read(arguments.new, fetch))
    level = highest(changes)
    given = (arguments.old, arguments.new)
    names = [_name(each) for each in given]
    head = f"{' -> '.join(map(_line, names))}: {level}"
    result(arguments.json, _data(changes, level), [head, *_lines(changes)])
    return 1 if level else 0


def _name(given: str | None) -> str:
    if given is None:
        return f"the installed version {__version__}"
    return fetching.shown_url(given) if fetching.is_url(given) else given


def _read(given: str | None, fetch: Fetch) -> Templates:
    if given is None:
        return {name: parse_template(text) for name, text in installed_templates().items()}
    if fetching.is_url(given):
        name = given.partition("?")[0].rpartition("/")[2]
        shown = fetching.shown_url(given)
        return {name: parse_template(decoded(fetch(given, LIMIT), shown), shown)}
    path = Path("build", given) if is_version(given) else Path(given)
    folder = path.is_dir() or is_version(given)
    files = sorted(path.glob("*.template.json")) if folder else [path]
    if not files:
        fix = "Give a release's folder, or one template."
        raise VerifyError(f"{path} has no template.", fix)
    return {each.name: parse_template(read_template(each), str(each)) for each in files}


def _compared(old: Templates, new: Templates) -> Changes:
    """Compare two releases, two single templates, or a template with its namesake in a release.

    Raises VerifyError if the release does not have the template.
    """
    if len(old) == len(new) == 1:
        old = dict(zip(new, old.values(), strict=True))
    if 1 not in (len(old), len(new)):
        return compare_releases(old, new)
    # Compare a single template only with the one that has the same name.
    names = old.keys() & new.keys()
    if not names:
        (name,) = old if len(old) == 1 else new
        fix = "Give two files, or two releases."
        raise VerifyError(f"The release does not have the template {_line(name)}.", fix)
    return compare_releases({n: old[n] for n in names}, {n: new[n] for n in names})


def _lines(changes: Changes) -> Iterator[str]:
    for name, found in changes.items():
        if found:
            yield f"\n{_line(name)}"
        for change in found:
            yield f"  {change.level!s:<5}  {_line(change.what)}"
    every = [(name, each) for name, found in changes.items() for each in found if each.file]
    for file, diff in dict.fromkeys((each.file, each.diff) for _, each in every):
        names = [name for name, each in every if (each.file, each.diff) == (file, diff)]
        yield f"\n{_line(file)} in {_line(' and '.join(names))}"
        yield from map(_line, diff.split("\n"))


def _data(changes: Changes, level: Level) -> dict[str, object]:
    listed = [
        {**asdict(each), "level": str(each.level), "template": name}
        for name, found in changes.items()
        for each in found
    ]
    return {"level": str(level), "changes": listed}


def _line(text: str) -> str:
    more = len(text) - _WIDTH
    rest = f" and {more:,} characters more, see --json" if more > 0 else ""
    return f"{shown_ascii(text, _WIDTH)}{rest}"
