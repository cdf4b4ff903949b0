"""Fixtures: an emulated account that environment variables point to, and an empty one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rehearsal.shell import Shell
from support.emulated import Emulated, emulated

from cloudformation_api.api import serve
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox


@pytest.fixture
def account(tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
    with emulated(tmp_path, release) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def shell(
    account: Emulated, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return Shell(account, monkeypatch, capsys)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Yield an empty account."""
    with Sandbox(tmp_path) as found:
        yield found


@pytest.fixture
def cfn(sandbox: Sandbox) -> Any:
    """Return an administrator's client of CloudFormation in the empty account."""
    serve(sandbox)
    return sandbox.client("cloudformation", sandbox.endpoint.session(ADMINISTRATOR))
