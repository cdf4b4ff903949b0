"""The version gate: releases never change, and a new version's number matches its changes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cli.altered import NAME, template_in, with_a_right

from dt_logs_cfn import Settings, build_release, write_release
from dt_logs_cfn.diff import enough, problems
from dt_logs_cfn.diff.change import Level
from dt_logs_cfn.errors import ReleaseError
from dt_logs_cfn.release.build import CHECKSUMS, Release
from dt_logs_cfn.release.folder import mark, released

WITH_RIGHT = {
    NAME: json.dumps(with_a_right(template_in(build_release(Settings()).files[NAME]))).encode()
}


def version(number: str, out: Path, **changed: bytes) -> Release:
    """Write a release with some files changed, and return it."""
    files = {**build_release(Settings()).files, **changed}
    del files[CHECKSUMS]
    sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in sorted(files.items()))
    release = Release(number, {**files, CHECKSUMS: sums.encode()})
    write_release(release, out)
    return release


def test_a_right_added_needs_a_major_version(tmp_path: Path) -> None:
    mark(version("1.0.0", tmp_path), tmp_path)

    def said(number: str) -> tuple[str, ...]:
        return problems(version(number, tmp_path, **WITH_RIGHT), tmp_path)

    assert said("1.1.0") == (
        "1.1.0 is too small a step from 1.0.0: the changes are major."
        " `dt-logs-cfn diff 1.0.0 1.1.0` shows them; raise __version__.",
    )
    assert said("2.0.0") == ()
    mark(version("0.1.0", tmp_path), tmp_path)  # before 1.0.0, a new minor number is enough
    assert said("0.2.0") == ()
    assert "is too small a step from 0.1.0" in said("0.1.1")[0]


def test_the_last_lower_version_counts(tmp_path: Path) -> None:
    """A fix of an old version is compared with that version, not with a later one."""
    mark(version("1.0.0", tmp_path), tmp_path)
    mark(version("2.0.0", tmp_path, **WITH_RIGHT), tmp_path)

    assert problems(version("1.0.1", tmp_path), tmp_path) == ()


def test_a_released_version_does_not_change(tmp_path: Path) -> None:
    release = version("1.0.0", tmp_path)
    mark(release, tmp_path)
    assert problems(release, tmp_path) == ()

    (tmp_path / "1.0.0" / "handler.zip").write_bytes(b"")
    (tmp_path / "1.0.0" / "more.txt").write_bytes(b"")
    restore = "is not what was released: restore it."
    assert problems(release, tmp_path) == (
        f"{tmp_path}/1.0.0/handler.zip {restore}",
        f"{tmp_path}/1.0.0/more.txt {restore}",
    )
    (tmp_path / "1.0.0" / CHECKSUMS).write_text("")
    assert problems(release, tmp_path) == (f"{tmp_path}/1.0.0/SHA256SUMS {restore}",)
    with pytest.raises(ReleaseError, match="is released, and this source builds other files"):
        problems(version("1.0.0", tmp_path / "x", **WITH_RIGHT), tmp_path)


def test_marking_twice_is_once_and_a_damaged_list_is_refused(tmp_path: Path) -> None:
    release = version("1.0.0", tmp_path)

    assert [mark(release, tmp_path), mark(release, tmp_path)] == [True, False]
    assert list(released(tmp_path)) == ["1.0.0"]
    (tmp_path / "RELEASED").write_text("1.0.0 is released\n")
    with pytest.raises(ReleaseError, match="a line that we did not write"):
        released(tmp_path)
    (tmp_path / "RELEASED").unlink()
    (tmp_path / ".RELEASED.new").mkdir()
    with pytest.raises(ReleaseError, match="RELEASED cannot be written"):
        mark(release, tmp_path)
    (tmp_path / "RELEASED").mkdir()
    with pytest.raises(ReleaseError, match="RELEASED cannot be read"):
        released(tmp_path)


@pytest.mark.parametrize(
    ("old", "level", "enough_are", "too_small"),
    [
        ("1.2.3", Level.MAJOR, ["2.0.0"], ["1.3.0"]),
        ("1.2.3", Level.MINOR, ["1.3.0", "2.0.0"], ["1.2.4"]),
        ("1.2.3", Level.PATCH, ["1.2.4", "1.2.10"], ["1.2.3", "1.2.2"]),
        ("1.2.3", Level.IDENTICAL, ["1.2.3"], ["1.2.2"]),
        ("0.1.0", Level.MAJOR, ["0.2.0", "1.0.0"], ["0.1.1"]),
        ("0.1.0", Level.MINOR, ["0.1.1"], ["0.1.0"]),
        ("0.1.0", Level.PATCH, ["0.1.1"], ["0.1.0"]),
    ],
)
def test_what_number_is_enough(
    old: str, level: Level, enough_are: list[str], too_small: list[str]
) -> None:
    assert all(enough(old, new, level) for new in enough_are)
    assert not any(enough(old, new, level) for new in too_small)
