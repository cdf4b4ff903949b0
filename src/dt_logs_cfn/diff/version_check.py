"""Check that released versions are unchanged, and that the next version number is high enough."""

from collections.abc import Mapping
from pathlib import Path

from dt_logs_cfn.diff import Level, compare_templates
from dt_logs_cfn.errors import ReleaseError
from dt_logs_cfn.release import ledger
from dt_logs_cfn.release.build import Release
from dt_logs_cfn.template.parsing import parse_template, read_template
from dt_logs_cfn.versions import numbers


def problems(release: Release, out: Path) -> tuple[str, ...]:
    """Return the problems of the releases in a folder, one line each.

    A problem is a changed file of a released version, or a version number that is too low for the
    changes since the last release. Raises ReleaseError if the list of released versions, or one of
    the versions, cannot be read, or if this source builds a released version differently.
    """
    ledger.is_released(release, out)
    changed = [
        f"{out / name} is not what was released: restore it." for name in ledger.changed(out)
    ]
    return (*changed, *_says_enough(release, out))


def required(old_templates: Mapping[str, str], new_templates: Mapping[str, str]) -> Level:
    """Return the level of the changes between two releases, given their templates by file name.

    A removed template is major, and a new one is minor. Raises VerifyError for a text that is not a
    template.
    """
    if old_templates.keys() - new_templates.keys():
        return Level.MAJOR
    pairs = ((text, new_templates[name]) for name, text in old_templates.items())
    changes = [each for pair in pairs for each in compare_templates(*map(parse_template, pair))]
    added = new_templates.keys() - old_templates.keys()
    levels = [each.level for each in changes] + [Level.MINOR] * bool(added)
    return max(levels, default=Level.IDENTICAL)


def enough(old: str, new: str, level: Level) -> bool:
    """Return whether `new` may follow `old`, given the level of the changes between them.

    Before 1.0.0, a major change raises the minor number, and any other change the patch number.
    Raises ValueError for a text that is not a version.
    """
    before, after = numbers(old), numbers(new)
    if level is Level.IDENTICAL:
        return before <= after
    significant = {Level.MAJOR: 1, Level.MINOR: 2, Level.PATCH: 3}[level]
    if before[0] == 0:
        significant = 2 if level is Level.MAJOR else 3
    return before[:significant] < after[:significant]


def _says_enough(release: Release, out: Path) -> tuple[str, ...]:
    now = numbers(release.version)
    before = [each for each in ledger.released(out) if numbers(each) < now]
    if not before:
        return ()
    last = max(before, key=numbers)
    old = {each.name: read_template(each) for each in (out / last).glob("*.template.json")}
    if not old:
        raise ReleaseError(f"{out / last} has no template.", "Restore it from the repository.")
    level = required(old, release.templates)
    if enough(last, release.version, level):
        return ()
    return (
        f"{release.version} is too small a step from {last}: the changes are {level}."
        f" `dt-logs-cfn diff {last} {release.version}` shows them; raise __version__.",
    )
