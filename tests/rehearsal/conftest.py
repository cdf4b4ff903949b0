"""What the rehearsal's tests share: the release, built once, and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt_logs_cfn import Settings, build_release, write_release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a release as a vendor builds it."""
    return write_release(build_release(Settings()), tmp_path_factory.mktemp("release"))
