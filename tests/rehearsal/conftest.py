"""What these tests share: an emulated account, to which the shell's environment leads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.emulated import Emulated, emulated


@pytest.fixture
def account(tmp_path: Path, release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
    with emulated(tmp_path, release) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found
