"""What all tests share: options, a release, and nobody's own AWS settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from dt_logs_cfn import Settings, build_release, write_release

_TESTS = Path(__file__).parent
# What speaks to an account, or to S3, over HTTP, and mostly waits for it.
_SERVED = (
    "cli/test_rehearse.py",
    "operating/test_plan.py",
    "operating/test_proposing.py",
    "operating/test_status.py",
    "publishing/",
    "rehearsal/",
    "stack_sets/test_command.py",
    "tools/test_check.py",
)


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(_TESTS).as_posix().startswith(_SERVED):
            item.add_marker(pytest.mark.served)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a release as a vendor builds it."""
    return write_release(build_release(Settings()), tmp_path_factory.mktemp("release"))
