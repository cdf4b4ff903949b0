"""Fixtures: an emulated account, which environment variables point to, and its caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
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
def act_as(account: Emulated, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that lets the commands run as a person with only these permissions."""

    def become(*statements: Mapping[str, object]) -> None:
        for name, value in account.person(*statements).items():
            monkeypatch.setenv(name.upper(), value)

    return become


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
