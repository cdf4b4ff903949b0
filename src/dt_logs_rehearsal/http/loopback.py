"""HTTP servers on the loopback, each on a port that the system chooses."""

from __future__ import annotations

import socket
from threading import Thread
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

from dt_logs_cfn.errors import RehearsalError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Server:
    """Serves a WSGI application until `close` is called, each connection in its own thread."""

    def __init__(self, application: WSGIApplication) -> None:
        """Listen on the loopback only. Raises RehearsalError if no port is available."""
        self._socket = _listener()
        host, port = self._socket.getsockname()
        fd = self._socket.fileno()
        self._server = make_server(host, port, application, True, request_handler=_Quiet, fd=fd)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.address = f"{host}:{port}"

    def start(self) -> None:
        """Start answering requests."""
        self._thread.start()

    def close(self) -> None:
        """Stop answering requests, and close the socket."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._socket.close()


def _listener() -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", 0), backlog=64)
    except OSError as error:
        raise RehearsalError(
            f"No loopback port is available: {error.strerror or error}.",
            "Close programs that hold many connections, and try again.",
        ) from error


class _Quiet(WSGIRequestHandler):
    """Buffers each answer, sends it without delay, and does not log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log(self, type: str, message: str, *args: object) -> None:
        """Discard the message."""
