"""The packages under test, built once from a copy of the source."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dt_logs_cfn import __version__

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy git's files, without setuptools' leftovers, which it would add to the packages again."""
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


@pytest.fixture(scope="session")
def dist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from the sdist, without warnings; return their folder."""
    releases = set((source / "build").rglob("*"))
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(source)]
    mine = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=mine)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "warn" in line.lower()]
    assert told == []
    assert set((source / "build").rglob("*")) == releases  # setuptools also builds in build/
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    return dist / f"dt_logs_cfn-{__version__}-py3-none-any.whl"
