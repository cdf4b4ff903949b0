"""Read and write `build/RELEASED`, the list of released versions, which never change.

The list has the checksum of each version's SHA256SUMS, which has the checksums of the version's
files. So `sha256sum -c` can check every file, in any clone.
"""

import re
from pathlib import Path

from dt_logs_cfn.errors import ReleaseError
from dt_logs_cfn.release.build import CHECKSUMS, Release, sha256
from dt_logs_cfn.release.catalogue import is_version
from dt_logs_cfn.release.folder import read_files

LEDGER = "RELEASED"
_LINE = re.compile(rf"([0-9a-f]{{64}})  ([0-9.]+)/{CHECKSUMS}")


def released(out: Path) -> dict[str, str]:
    """Return the SHA-256 of each released version's SHA256SUMS, in the order of their release.

    Raises ReleaseError if the list cannot be read.
    """
    path = out / LEDGER
    try:
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{path} cannot be read.", "Restore it from the repository.") from error
    matches = [_LINE.fullmatch(line) for line in lines]
    found = {each[2]: each[1] for each in matches if each and is_version(each[2])}
    if len(found) < len(lines):
        raise ReleaseError(
            f"{path} has a line that we did not write.", "Restore it from the repository."
        )
    return found


def is_released(release: Release, out: Path) -> bool:
    """Return whether the release is marked as released, with exactly these files.

    Raises ReleaseError if other files are marked for this version.
    """
    marked = released(out).get(release.version)
    if marked is not None and marked != release.sha256:
        raise ReleaseError(
            f"Version {release.version} is released, and this source builds other files.",
            "Raise __version__ in src/dt_logs_cfn/__init__.py; a released version does not change.",
        )
    return marked is not None


def mark(release: Release, out: Path) -> bool:
    """Mark a release as released, and return whether the mark is new; repeatable.

    Raises ReleaseError if other files of the version are marked, or the list cannot be written.
    """
    if is_released(release, out):
        return False
    marked = {**released(out), release.version: release.sha256}
    text = "".join(f"{digest}  {version}/{CHECKSUMS}\n" for version, digest in marked.items())
    fresh = out / f".{LEDGER}.new"
    try:
        fresh.write_text(text, encoding="utf-8", newline="\n")
        fresh.replace(out / LEDGER)
    except OSError as error:
        raise ReleaseError(
            f"{out / LEDGER} cannot be written: {error.strerror or error}.", "Make it writable."
        ) from error
    return True


def changed(out: Path) -> tuple[str, ...]:
    """Return the files that differ from their released version, as names below `out`.

    Raises ReleaseError if the list, or a released version, cannot be read.
    """
    found: list[str] = []
    for version, digest in released(out).items():
        files = read_files(out / version)
        sums = files.pop(CHECKSUMS, b"")
        if sha256(sums) != digest:
            found.append(f"{version}/{CHECKSUMS}")
            continue
        lines = (line.partition("  ") for line in sums.decode().splitlines())
        listed = {name: checksum for checksum, _, name in lines}
        digests = {name: sha256(content) for name, content in files.items()}
        found += [
            f"{version}/{name}"
            for name in sorted(listed.keys() | digests.keys())
            if listed.get(name) != digests.get(name)
        ]
    return tuple(found)
