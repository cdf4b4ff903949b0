"""Lambda's Runtime API on the loopback: a function's process fetches events and answers them.

[Lambda guide, runtimes-api.md; OpenAPI of 2018-06-01]. Each process has its own server.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from queue import Queue
from typing import TYPE_CHECKING, Literal

from dt_logs_rehearsal.http.loopback import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_NEXT = "/2018-06-01/runtime/invocation/next"
_LARGEST = 6 * 1024 * 1024  # the largest response, in bytes [Lambda quotas]


@dataclass(frozen=True)
class Event:
    """An event for the process; `deadline` is in milliseconds since 1970."""

    request_id: str
    arn: str
    deadline: int
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers that describe the event to the process."""
        return {
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(self.deadline),
            "Lambda-Runtime-Invoked-Function-Arn": self.arn,
        }


@dataclass(frozen=True)
class Invocation:
    """The outcome of one attempt to run a function, and its output."""

    outcome: Literal["returned", "raised", "timed out", "exited"]
    error: str = ""
    output: str = ""


class RuntimeApi:
    """Serves one process: put events into `events` and take results from `results`."""

    def __init__(self) -> None:
        """Serve on a free loopback port; `address` is the value for AWS_LAMBDA_RUNTIME_API."""
        self.events: Queue[Event | None] = Queue()
        self.results: Queue[Invocation] = Queue()
        self._server = Server(self._serve)
        self.address = self._server.address
        self._server.start()

    def close(self) -> None:
        """Stop serving; release the thread that waits for an event."""
        self.events.put(None)
        self._server.close()

    def _serve(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        size = min(int(environ.get("CONTENT_LENGTH") or 0), _LARGEST)
        text = environ["wsgi.input"].read(size).decode(errors="replace")
        status, body = "202 Accepted", b""
        headers = {"Content-Type": "application/json"}
        if environ["REQUEST_METHOD"] == "GET":
            event = self.events.get() if path == _NEXT else None
            status, body = ("200 OK", event.body) if event else ("404 Not Found", b"")
            headers |= event.headers if event else {}
        elif path.endswith("/response"):
            self.results.put(Invocation("returned"))
        elif path.endswith("/error"):
            self.results.put(Invocation("raised", _error(text)))
        start(status, [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]


def _error(body: str) -> str:
    try:
        error = json.loads(body)
        return f"{error['errorType']}: {error['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return body[:500]
