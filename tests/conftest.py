"""Options, a release and botocore's service models, which all tests share."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.loaders import Loader, create_loader
from hypothesis import settings

from dt_logs_cfn import Settings, build_release, write_release

_TESTS = Path(__file__).parent
# Tests that start servers, processes or a browser; they take most of the time.
_SLOW = (
    "browser/",
    "cli/test_publish.py",
    "cli/test_rehearse.py",
    "operating/test_status.py",
    "packaging/",
    "rehearsal/test_",
    "tools/test_check.py",
)
# Hypothesis's default deadline of 200 ms would fail slow examples on a busy machine.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


# The tester's own region and profile would override those that the tests name.
for _name in ("AWS_PROFILE", "AWS_REGION"):
    os.environ.pop(_name, None)


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
        if item.path.relative_to(_TESTS).as_posix().startswith(_SLOW):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a release as a vendor does, and return its folder."""
    return write_release(build_release(Settings()), tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    """Let botocore's sessions share the service models that they read, as a session's clients do.

    Only data read from disk is shared; sessions, clients and their event handlers are not.
    """
    read: defaultdict[str | None, dict[Any, Any]] = defaultdict(dict)

    def load(search_path: str | None = None) -> Loader:
        loader = create_loader(search_path)
        loader._cache = read[search_path]
        return loader

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", load)
        yield
