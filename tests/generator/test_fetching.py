"""Fetching by URL: limited in size, without redirects, and only from allowed URLs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from dt_logs_cfn.errors import FetchError
from dt_logs_cfn.verify.fetching import fetch, optional, shown_url


class Handler(BaseHTTPRequestHandler):
    """Answers with the status and the number of bytes in the path."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        body = b"0" * int(self.path.split("/")[2])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/200/3")
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def served() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served() as found:
        yield found


def test_it_gives_the_bytes_as_they_were_stored_up_to_a_limit(url: str) -> None:
    """The body is never decompressed, so that a small answer cannot become a large one."""
    assert fetch(f"{url}/200/100", 100) == b"0" * 100
    with pytest.raises(FetchError, match="has more than 99 bytes"):
        fetch(f"{url}/200/100", 99)


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_there(url: str, status: int) -> None:
    assert optional(f"{url}/{status}/0", 10) is None
    with pytest.raises(FetchError, match="does not exist or is not public"):
        fetch(f"{url}/{status}/0", 10)


@pytest.mark.parametrize("status", [302, 401, 501])
def test_any_other_answer_is_told_and_no_redirect_followed(url: str, status: int) -> None:
    with pytest.raises(FetchError, match=f"answers with status {status}"):
        fetch(f"{url}/{status}/0", 10)


def test_nobody_listens() -> None:
    with served() as gone:
        pass
    with pytest.raises(FetchError, match=r"cannot be fetched \(no connection to its host\)"):
        fetch(f"{gone}/200/1", 10)


def test_a_host_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(FetchError, match=r"cannot be fetched \(its host was not found\)"):
        fetch("https://no-such-host.invalid/x", 10)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "http://127.0.0.1.example.com/x",
        "http://user@127.0.0.1/x",
        "https://user:secret@example.com/x",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "https:///x",
        "https://[x/y",
        "https://example.com:99999/",
        "https://example.com/\x1b[2J",
        "https://ex\xe4mple.com/",
    ],
)
def test_what_is_not_fetched(url: str) -> None:
    with pytest.raises(FetchError):
        fetch(url, 10)


def test_what_may_be_secret_is_not_shown() -> None:
    assert shown_url("https://x/y?X-Amz-Signature=secret#z") == "https://x/y"
    assert "\x1b" not in shown_url("https://x/\x1b[2J")
    assert len(shown_url(f"https://x/{'y' * 999}")) == 200
