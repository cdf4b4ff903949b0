"""What we ship: exactly these files, and a clean environment builds the release from them."""

import io
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from dt_logs_cfn import Settings, __version__, build_release, compare

ROOT = Path(__file__).parents[2]


def expected(kind: str) -> list[str]:
    """The files that a kind of archive is to hold, as written down beside this test."""
    lines = Path(__file__).with_name(f"{kind}.txt").read_text().splitlines()
    return sorted(line.replace("VERSION", __version__) for line in lines)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git has or would add: setuptools leaves files, and takes what it once left."""
    folder = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def releases_before(source: Path) -> set[Path]:
    return set((source / "build").rglob("*"))


@pytest.fixture(scope="module")
def dist(
    source: Path, releases_before: set[Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the sdist, and with the wheel that was built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return dist / f"dt_logs_cfn-{__version__}-py3-none-any.whl"


def test_the_wheel_holds_our_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert sorted(archive.namelist()) == expected("wheel")


def test_the_sdist_holds_what_the_wheel_is_built_from(dist: Path) -> None:
    with tarfile.open(dist / f"dt_logs_cfn-{__version__}.tar.gz") as archive:
        files = [member.name for member in archive.getmembers() if member.isfile()]

    assert sorted(files) == expected("sdist")


def test_packaging_leaves_the_releases_alone(
    source: Path, releases_before: set[Path], dist: Path
) -> None:
    assert set((source / "build").rglob("*")) == releases_before


def test_the_handlers_zip_holds_what_lambda_imports_and_nothing_else() -> None:
    content = build_release(Settings()).files["handler.zip"]

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()

    assert [entry.filename for entry in entries] == expected("handler")
    assert {(entry.date_time, entry.compress_type) for entry in entries} == {
        ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED)
    }


def test_a_clean_environment_builds_the_same_release_from_the_wheel(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    venv.create(environment)
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python"]
    subprocess.run(
        [*pip, "install", "--no-compile", "--quiet", wheel], check=True, capture_output=True
    )
    (tmp_path / "release.cfg").write_bytes((ROOT / "release.cfg").read_bytes())

    subprocess.run(
        [environment / "bin" / "dt-logs-cfn", "build"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )

    release = build_release(Settings.load(ROOT / "release.cfg"))
    assert compare(release, tmp_path / "build" / __version__) == ()
