"""A network on the loopback that loses calls, or the answers to calls that were carried out.

with lossy(account.url) as network:
    network.answers.add(("ExecuteChangeSet", 1))  # the answer to the first such call
    boto3.client("cloudformation", endpoint_url=network.url)
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import urllib3
from werkzeug.datastructures import EnvironHeaders

from dt_logs_rehearsal.http import loopback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

EVERY = 0  # instead of a number: every call of the operation


@dataclass
class Network:
    """The calls to lose before they reach AWS, and the answers to lose, by operation and number."""

    endpoint: str
    url: str = ""
    calls: set[tuple[str, int]] = field(default_factory=set)
    answers: set[tuple[str, int]] = field(default_factory=set)
    sent: Counter[str] = field(default_factory=Counter)

    def forward(self, environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        """Forward a call in AWS's query protocol, and return its answer."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        (operation,) = parse_qs(body.decode()).get("Action", [""])
        self.sent[operation] += 1
        now = {(operation, self.sent[operation]), (operation, EVERY)}
        if not now & self.calls:
            headers = dict(EnvironHeaders(environ))
            answer = urllib3.request("POST", self.endpoint, body=body, headers=headers)
            if not now & self.answers:
                kept = {"Content-Type": "text/xml", "Content-Length": str(len(answer.data))}
                start(f"{answer.status} .", [*kept.items()])
                return [answer.data]
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionError


@contextmanager
def lossy(endpoint: str) -> Iterator[Network]:
    """Forward calls to an endpoint until the block ends."""
    network = Network(endpoint)
    with closing(loopback.Server(network.forward)) as server:
        network.url = f"http://{server.address}"
        server.start()
        yield network
