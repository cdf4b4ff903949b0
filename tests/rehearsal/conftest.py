"""A fixture for these tests: an emulated account that the environment variables point to."""

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
