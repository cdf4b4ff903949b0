"""What all tests share: options, a release, and nobody's own AWS settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt_logs_cfn import Settings, build_release, write_release


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--lifecycle-size",
        choices=("small", "full"),
        default="small",
        help="how much of the life cycle is tried: a sample, or all of it",
    )
    parser.addoption(
        "--write-reliability",
        action="store_true",
        help="write the figures of a full run into docs/reliability.md",
    )


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a release as a vendor builds it."""
    return write_release(build_release(Settings()), tmp_path_factory.mktemp("release"))
