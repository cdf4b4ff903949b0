"""Lambda's Runtime API on the loopback: the function's process fetches events, and answers them.

[Lambda guide, runtimes-api.md; OpenAPI of 2018-06-01]. One server a process of a function.
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

from dt_logs_rehearsal.http.loopback import listener

_ROOT = "/2018-06-01/runtime"
_LARGEST = 6 * 1024 * 1024  # bytes of a response [Lambda quotas]


@dataclass(frozen=True)
class Event:
    """An invocation that the process is handed; `deadline` is in milliseconds since 1970."""

    request_id: str
    arn: str
    deadline: int
    body: bytes


@dataclass(frozen=True)
class Result:
    """What the process made of an event, or of its own start."""

    kind: Literal["returned", "raised", "exited"]
    text: str


class RuntimeApi:
    """Serves one process; put events into `events`, take results from `results`."""

    def __init__(self) -> None:
        """Listen on a free port of the loopback."""
        self.events: Queue[Event | None] = Queue()
        self.results: Queue[Result] = Queue()
        self._server = _Server(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener()
        self._server.server_address = self._server.socket.getsockname()
        self._server.api = self
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API holds."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving; whoever waits for an event is let go."""
        self.events.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    api: RuntimeApi
    daemon_threads = True
    # A process that was killed in the middle of a request is no news.
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
        event = self.server.api.events.get() if self.path == f"{_ROOT}/invocation/next" else None
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
            self.server.api.results.put(Result("returned", body))
        elif self.path.endswith("/error"):
            self.server.api.results.put(Result("raised", _told(body)))
        self._answer(202, b"", {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def _told(body: str) -> str:
    try:
        error = json.loads(body)
        return f"{error['errorType']}: {error['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return body[:500]
