"""Fixtures of the handler's tests."""

from collections.abc import Iterator

import pytest
from support.moto_account import Account, emulated_account
from support.running import Clock


def pytest_configure(config: pytest.Config) -> None:
    """Ignore a deprecation warning that an older botocore causes on a newer Python."""
    config.addinivalue_line(
        "filterwarnings", r"ignore:datetime.datetime.utcnow\(\):DeprecationWarning:botocore"
    )


@pytest.fixture
def account() -> Iterator[Account]:
    """Yield an empty AWS account in moto."""
    with emulated_account() as account:
        yield account


@pytest.fixture
def clock() -> Clock:
    """Return a simulated clock that starts at noon."""
    return Clock()
