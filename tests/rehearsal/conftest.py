"""Fixtures: an emulated account that the environment variables point to, and who calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from support.emulated import Emulated, emulated


@pytest.fixture
def account(tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
    with emulated(tmp_path, release) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def act_as(account: Emulated, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function after which the commands are somebody's who may do this only."""

    def become(*statements: Mapping[str, object]) -> None:
        for name, value in account.person(*statements).items():
            monkeypatch.setenv(name.upper(), value)

    return become
