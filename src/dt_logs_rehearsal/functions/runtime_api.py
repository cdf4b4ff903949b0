"""Lambda's Runtime API on the loopback: a function's process fetches events, and answers them.

[Lambda guide, runtimes-api.md; OpenAPI of 2018-06-01]. Each process has a server of its own.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import Literal

_NEXT = "/2018-06-01/runtime/invocation/next"
_LARGEST = 6 * 1024 * 1024  # bytes of a response [Lambda quotas]


@dataclass(frozen=True)
class Event:
    """An invocation that the process is given; `deadline` is in milliseconds since 1970."""

    request_id: str
    arn: str
    deadline: int
    body: bytes


@dataclass(frozen=True)
class Result:
    """What became of an event, or of the process's start; `text` tells of errors."""

    kind: Literal["returned", "raised", "timed out", "exited"]
    text: str = ""


class RuntimeApi:
    """Serves one process; put events into `events`, take results from `results`."""

    def __init__(self) -> None:
        """Listen on a free port of the loopback."""
        self.events: Queue[Event | None] = Queue()
        self.results: Queue[Result] = Queue()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving; whoever waits for an event is released."""
        self.events.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    api: RuntimeApi
    daemon_threads = True
    # A process may be killed in the middle of a request.
    handle_error: Callable[..., None] = lambda self, request, client_address: None


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # headers and body in one packet

    def setup(self) -> None:
        """Send at once: Nagle's algorithm would hold answers back for 40 ms."""
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        super().setup()

    def do_GET(self) -> None:
        event = self.server.api.events.get() if self.path == _NEXT else None
        if event is None:
            self._answer(404, b"", {})
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(event.deadline),
            "Lambda-Runtime-Invoked-Function-Arn": event.arn,
        }
        self._answer(200, event.body, headers)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(min(length, _LARGEST)).decode(errors="replace")
        if self.path.endswith("/response"):
            self.server.api.results.put(Result("returned"))
        elif self.path.endswith("/error"):
            self.server.api.results.put(Result("raised", _error(body)))
        self._answer(202, b"", {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        length = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
        for name, value in {**headers, **length}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _error(body: str) -> str:
    try:
        error = json.loads(body)
        return f"{error['errorType']}: {error['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return body[:500]
