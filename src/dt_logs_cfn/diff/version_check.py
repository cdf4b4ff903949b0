"""What must hold before a change is taken: released versions stay, and the next one says enough."""

from pathlib import Path

from dt_logs_cfn.diff import enough, required
from dt_logs_cfn.errors import ReleaseError
from dt_logs_cfn.release import ledger
from dt_logs_cfn.release.build import Release
from dt_logs_cfn.template.parsing import read_template
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
        f"{release.version} says too little after {last}: what changed is {level.word}."
        f" `dt-logs-cfn diff {last} {release.version}` says what; raise __version__.",
    )
