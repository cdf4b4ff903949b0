"""StackSets in memory, and in moto over HTTP on the loopback; each test begins with empty ones."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from stack_sets.rollouts import Terminal


class Aws:
    """Clients of an empty account in moto."""

    def __init__(self, url: str) -> None:
        self.session = boto3.Session("id", "key", region_name="eu-west-1")
        self.url = url

    def client(self, name: str) -> Any:
        client: Any = self.session.client
        return client(name, endpoint_url=self.url)

    def reset(self) -> None:
        """Delete everything in the account."""
        urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        ).close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    found = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    found.start()
    host, port = found.get_host_and_port()
    yield f"http://{host}:{port}"
    found.stop()


@pytest.fixture
def aws(server: str) -> Iterator[Aws]:
    found = Aws(server)
    yield found
    found.reset()


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Return an operator's terminal in front of StackSets in memory."""
    return Terminal(capsys)
