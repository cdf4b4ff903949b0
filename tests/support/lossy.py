"""A network on the loopback that loses calls, or the answers to calls that were carried out.

with lossy(account.url) as network:
    network.answers.add(("ExecuteChangeSet", 1))  # the answer to the first such call
    boto3.client("cloudformation", endpoint_url=network.url)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

EVERY = 0  # instead of a number: every call of the operation


@dataclass
class Network:
    """The calls to lose before they reach AWS, and the answers to lose, by operation and number."""

    url: str = ""
    calls: set[tuple[str, int]] = field(default_factory=set)
    answers: set[tuple[str, int]] = field(default_factory=set)
    sent: Counter[str] = field(default_factory=Counter)

    def loses(self, what: set[tuple[str, int]], operation: str) -> bool:
        return bool({(operation, self.sent[operation]), (operation, EVERY)} & what)


@contextmanager
def lossy(endpoint: str) -> Iterator[Network]:
    """Forward calls in AWS's query protocol to an endpoint until the block ends."""
    network, host = Network(), urlsplit(endpoint).netloc

    class Forwarded(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            (operation,) = parse_qs(body.decode()).get("Action", [""])
            network.sent[operation] += 1
            if network.loses(network.calls, operation):
                self.close_connection = True
                return
            connection = HTTPConnection(host)
            try:
                connection.request("POST", self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            if network.loses(network.answers, operation):
                self.close_connection = True
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/xml"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forwarded)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    network.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield network
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
