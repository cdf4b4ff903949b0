"""Run the command line in this process, in a folder with its own release.cfg."""

from pathlib import Path

import pytest
from support.commands import Run, run_main

RELEASE_CFG = """\
[aws]
vendor_account_id = 111122223333
notification_endpoint = https://logs.example.com/alb
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create and enter a working directory that holds only a release.cfg."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "release.cfg").write_text(RELEASE_CFG)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(here: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command as from a shell, in a folder with a release.cfg."""
    return lambda *argv: run_main([str(word) for word in argv], capsys)
