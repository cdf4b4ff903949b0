"""What must hold before a change is taken: released versions stay, and the next one says enough."""

from collections.abc import Mapping
from pathlib import Path

from dt_logs_cfn.diff import Level, compare_templates
from dt_logs_cfn.errors import ReleaseError
from dt_logs_cfn.release import ledger
from dt_logs_cfn.release.build import Release
from dt_logs_cfn.template.parsing import parse_template, read_template
from dt_logs_cfn.versions import is_version, numbers

_TEMPLATES = ".template.json"


def problems(release: Release, out: Path) -> tuple[str, ...]:
    """Return what is wrong with the releases in a folder, a line each.

    That is a file of a released version that is not what was released, or a version number that
    says less than what changed since the last released one. Raises ReleaseError where the list of
    released versions, or one of them, cannot be read, or where this source builds a released
    version otherwise.
    """
    ledger.is_released(release, out)
    changed = [
        f"{out / name} is not what was released: restore it." for name in ledger.changed(out)
    ]
    return (*changed, *_says_enough(release, out))


def required(old_templates: Mapping[str, str], new_templates: Mapping[str, str]) -> Level:
    """Return what the version of a release must become, from its templates' texts by file name.

    A template gone is major, a new one minor. Raises VerifyError for a text that is not a template.
    """
    if old_templates.keys() - new_templates.keys():
        return Level.MAJOR
    pairs = ((text, new_templates[name]) for name, text in old_templates.items())
    changes = [each for pair in pairs for each in compare_templates(*map(parse_template, pair))]
    added = new_templates.keys() - old_templates.keys()
    levels = [each.level for each in changes] + [Level.MINOR] * bool(added)
    return max(levels, default=Level.IDENTICAL)


def enough(old: str, new: str, level: Level) -> bool:
    """Tell whether a version may follow another, given how much changed between them.

    Before 1.0.0 the minor number stands for the major one, and the patch number for the rest.
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
    before = [each for each in ledger.released(out) if is_version(each) and numbers(each) < now]
    if not before:
        return ()
    last = max(before, key=numbers)
    old = {each.name: read_template(each) for each in (out / last).glob(f"*{_TEMPLATES}")}
    new = {
        name: content.decode()
        for name, content in release.files.items()
        if name.endswith(_TEMPLATES)
    }
    if not old:
        raise ReleaseError(f"{out / last} has no template.", "Restore it from the repository.")
    level = required(old, new)
    if enough(last, release.version, level):
        return ()
    return (
        f"{release.version} says too little after {last}: what changed is {level}."
        f" `dt-logs-cfn diff {last} {release.version}` says what; raise __version__.",
    )
