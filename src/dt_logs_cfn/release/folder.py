"""Write complete releases to disk, compare folders with releases, and mark versions as released.

`build/RELEASED` lists the released versions, which never change, with the checksum of each
version's SHA256SUMS. SHA256SUMS has the checksums of the version's other files, so `sha256sum -c`
can check every file in any clone.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dt_logs_cfn.errors import ReleaseError
from dt_logs_cfn.files import read_bytes
from dt_logs_cfn.release.build import CHECKSUMS, MANIFEST, Release, sha256
from dt_logs_cfn.release.catalogue import is_version

LEDGER = "RELEASED"
_LINE = re.compile(rf"([0-9a-f]{{64}})  ([0-9.]+)/{CHECKSUMS}")


@dataclass(frozen=True)
class Difference:
    """A file that differs between a folder and the release.

    `name` is its POSIX name inside the folder. `diff` is a unified diff that turns the folder's
    file into the file of the release. For a binary file, `diff` only says that the two differ.

    >>> Difference("manifest.json", "...").name
    'manifest.json'
    """

    name: str
    diff: str


def write_release(release: Release, out: str | os.PathLike[str]) -> Path:
    """Write the release to `out/<version>` and return that folder.

    A reader finds the old release, the new one or, for a moment, none, but never a mixture. Writing
    the same release again does not change anything. Raises ReleaseError if `out` cannot be written,
    or if the folder already exists and is not a release.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     folder = write_release(build_release(Settings()), out)
    ...     (folder / "manifest.json").is_file()
    True
    """
    out = Path(out)
    target = out / release.version
    # If the folder is a link, replace its target. Path.resolve may fail for a circular link.
    place = Path(os.path.realpath(target))
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = os.open(out, os.O_RDONLY)
        try:  # other builds wait for this lock, which also ends if the process dies
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not place.is_dir() or compare(release, place):
                _replace(place, release.files)
        finally:
            os.close(handle)
    except OSError as error:
        raise ReleaseError(
            f"The release cannot be written to {target}: {error.strerror or error}.",
            "Choose a folder that you can write to, with --out.",
        ) from error
    return target


def compare(release: Release, folder: str | os.PathLike[str]) -> tuple[Difference, ...]:
    """Return each file in which a folder and the release differ, sorted by name.

    Raises ReleaseError if the folder does not exist or cannot be read.

    >>> import tempfile
    >>> release = build_release(Settings())
    >>> with tempfile.TemporaryDirectory() as out:
    ...     folder = write_release(release, out)
    ...     _ = (folder / "manifest.json").write_text("{}")
    ...     [each.name for each in compare(release, folder)]
    ['manifest.json']
    """
    folder = Path(folder)
    found = read_files(folder)
    names = sorted(found.keys() | release.files.keys())
    return tuple(
        Difference(name, _diff(folder, name, found.get(name), release.files.get(name)))
        for name in names
        if found.get(name) != release.files.get(name)
    )


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by its relative POSIX name.

    An entry that is neither a file nor a folder, such as a pipe or a broken link, counts as an
    empty file. Raises ReleaseError if the folder does not exist or cannot be read.
    """
    if not folder.is_dir():
        raise ReleaseError(f"{folder} is not a folder.", "Make it with `dt-logs-cfn build`.")
    try:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
            for path in folder.rglob("*")
            if not path.is_dir()
        }
    except OSError as error:
        raise ReleaseError(
            f"The release in {folder} cannot be read: {error.strerror or error}.",
            "Make it again with `dt-logs-cfn build`.",
        ) from error


def released(out: Path) -> dict[str, str]:
    """Return the SHA-256 of each released version's SHA256SUMS, in the order of their release.

    Raises ReleaseError if the list cannot be read, or has a line that we did not write.
    """
    path = out / LEDGER
    try:
        lines = read_bytes(path).decode().splitlines() if path.exists() else []
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

    Raises ReleaseError if this version was released with other files, or the list cannot be read.
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

    Raises ReleaseError if this version was released with other files, or the list cannot be read or
    written.
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
    """Return the names below `out` of files that differ from a release, are missing or are new.

    If a version's SHA256SUMS differs, only that file of the version is named.
    Raises ReleaseError if the list, or a released version, cannot be read.
    """
    found: list[str] = []
    for version, digest in released(out).items():
        files = read_files(out / version)
        sums = files.pop(CHECKSUMS, b"")
        if sha256(sums) != digest:
            found.append(f"{version}/{CHECKSUMS}")
            continue
        lines = {f"{sha256(content)}  {name}" for name, content in files.items()}
        differ = lines.symmetric_difference(sums.decode().splitlines())
        found += sorted({f"{version}/{line.partition('  ')[2]}" for line in differ})
    return tuple(found)


def _replace(target: Path, files: Mapping[str, bytes]) -> None:
    """Fill a new folder beside the target, then rename it into place; on failure, undo this.

    Raises OSError, and ReleaseError if the target exists and is not a release.
    """
    if target.exists() and not (target / MANIFEST).is_file():
        raise ReleaseError(
            f"{target} exists, but is not a release.",
            "Move it away, or choose another --out.",
        )
    fresh, former = (target.parent / f".{target.name}.{name}" for name in ("new", "old"))
    _remove(fresh, former)
    try:
        write_files(files, fresh)
        if target.exists():
            os.rename(target, former)
        os.rename(fresh, target)
    except OSError:
        if former.exists() and not target.exists():
            os.rename(former, target)
        raise
    finally:
        _remove(fresh, former)


def _remove(*folders: Path) -> None:
    for folder in folders:
        if folder.exists():
            shutil.rmtree(folder)


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files under their names in a folder, and make its subfolders. Raises OSError."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _diff(folder: Path, name: str, found: bytes | None, built: bytes | None) -> str:
    before, after = f"{folder.as_posix()}/{name}", f"built/{name}"
    try:
        old, new = (
            (content or b"").decode().splitlines(keepends=True) for content in (found, built)
        )
    except UnicodeDecodeError:
        return f"Binary files {before} and {after} differ\n"
    from difflib import unified_diff  # a build that only writes does not need it

    lines = unified_diff(
        old,
        new,
        before if found is not None else os.devnull,
        after if built is not None else os.devnull,
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
