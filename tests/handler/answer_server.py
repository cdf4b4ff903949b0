"""A server on the loopback that receives the function's answers in place of CloudFormation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class AnswerServer(ThreadingHTTPServer):
    """Responds to each answer with fixed bytes; keeps its path, content type and body."""

    def __init__(self, response: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.response = response
        self.answers: list[tuple[str, str | None, bytes]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Receive(BaseHTTPRequestHandler):
    server: AnswerServer

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.append((self.path, self.headers.get("Content-Type"), body))
        self.wfile.write(self.server.response)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def answer_server(response: bytes = ACCEPTED) -> Iterator[AnswerServer]:
    with AnswerServer(response) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
