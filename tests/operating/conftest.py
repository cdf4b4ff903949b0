"""Accounts for `plan` and `status`: in memory, and behind an endpoint for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from operating.accounts import Looking, Served
from support.emulated import Emulated
from support.events import ACCOUNT, REGION

from cloudformation_api.api import serve
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox


@pytest.fixture
def looking() -> Looking:
    """Return an empty account in memory, with functions that check it as `status` does."""
    return Looking(Account(ACCOUNT, REGION))


@pytest.fixture
def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Served]:
    """Serve an empty account behind an endpoint, with an administrator's shell."""
    folder = tmp_path / "functions"
    folder.mkdir()
    with Sandbox(folder) as sandbox:
        serve(sandbox)
        credentials = sandbox.endpoint.session(ADMINISTRATOR)
        found = Served(Emulated(sandbox, None, "", (), credentials), monkeypatch, capsys)
        monkeypatch.chdir(tmp_path)
        for name, value in found.emulated.environment.items():
            monkeypatch.setenv(name, value)
        yield found
