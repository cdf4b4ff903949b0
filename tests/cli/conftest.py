"""The command line under test, run in this process in a folder with its own release.cfg."""

from pathlib import Path

import pytest
from cli.running import Ran, Run

from dt_logs_cfn.cli.main import main

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
    """Run a command as from a shell, and return its exit code even after wrong usage."""

    def run(*argv: str | Path) -> Ran:
        try:
            code = main([str(word) for word in argv])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        return Ran(code, *capsys.readouterr())

    return run
