"""What all tests share: options, and nobody's own AWS settings."""

from __future__ import annotations

import pytest


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
