"""Fetch a file by its URL without credentials, as a browser would.

The server is not trusted, so redirects are not followed, and size and time are limited. Only https
is allowed, except for a server on this machine.
"""

import ipaddress
import re
import time
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from dt_logs_cfn.cli.terminal import cut, printable
from dt_logs_cfn.errors import FetchError

_SECONDS = 120.0
_CHUNK = 65_536
_TIMEOUT = urllib3.Timeout(connect=10, read=30)
_RETRIES = urllib3.Retry(3, redirect=False, backoff_factor=0.5, status_forcelist=(500, 502, 503))
_REASONS = {
    urllib3.exceptions.NameResolutionError: "its host was not found",
    urllib3.exceptions.ConnectTimeoutError: "no connection to its host",
    urllib3.exceptions.ReadTimeoutError: "its host does not answer",
    urllib3.exceptions.SSLError: "no secure connection to its host",
    urllib3.exceptions.ProxyError: "no connection to the proxy",
    urllib3.exceptions.ResponseError: "its host has an error",
}
_HEADERS = {"User-Agent": "dt-logs-cfn", "Accept-Encoding": "identity"}


def fetch(url: str, limit: int) -> bytes:
    """Return the content of a URL, at most `limit` bytes, without decoding it.

    Repeatable. Raises FetchError if the URL is not allowed, cannot be fetched, or has more bytes.
    The error shows the URL without its query.
    """
    found = optional(url, limit)
    if found is None:
        raise FetchError(f"{shown_url(url)} does not exist or is not public.", "Check the URL.")
    return found


def optional(url: str, limit: int) -> bytes | None:
    """Fetch like `fetch`, but return None if the file does not exist or is not public.

    To callers who may not list the bucket, S3 answers 403 for an object that does not exist
    [S3 API, GetObject: Permissions].
    """
    _check(url)
    end = time.monotonic() + _SECONDS
    try:
        answer = _pool(_proxy(url)).request(
            "GET",
            url,
            redirect=False,
            retries=_RETRIES,
            timeout=_TIMEOUT,
            preload_content=False,
            decode_content=False,
        )
        try:
            if answer.status in (403, 404):
                return None
            if answer.status != 200:
                raise FetchError(
                    f"{shown_url(url)} answers with status {answer.status}.",
                    "Check the URL, or try later.",
                )
            return _body(url, answer, limit, end)
        finally:
            answer.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise FetchError(
            f"{shown_url(url)} cannot be fetched ({_why(error)}).",
            "Check the URL, the network and the proxy.",
        ) from error


def shown_url(url: str) -> str:
    """Return a URL without its user name, query and fragment, short enough for one line."""
    text = re.sub(
        r"^([a-z0-9]+://)[^/]*@", r"\1", url.partition("?")[0].partition("#")[0], flags=re.I
    )
    return cut(printable(text, "?"), 200)


def is_url(text: str) -> bool:
    """Return whether a command-line argument is a URL and not a file."""
    return text.lower().startswith(("https://", "http://"))


@cache
def _pool(proxy: str) -> urllib3.PoolManager:
    if proxy:
        return urllib3.ProxyManager(proxy, maxsize=16, headers=_HEADERS)
    return urllib3.PoolManager(maxsize=16, headers=_HEADERS)


def _proxy(url: str) -> str:
    """Return the proxy that is configured on this machine for a URL, or an empty string."""
    parts = urlsplit(url)
    if _is_here(parts.hostname or "") or proxy_bypass(parts.netloc):
        return ""
    return getproxies().get(parts.scheme, "")


def _body(url: str, answer: urllib3.BaseHTTPResponse, limit: int, end: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    # read1 returns the bytes that have arrived, so a slow server cannot evade the time limit.
    while part := answer.read1(_CHUNK, decode_content=False):
        size += len(part)
        if size > limit:
            raise FetchError(f"{shown_url(url)} has more than {limit:,} bytes.", "Check the URL.")
        if time.monotonic() > end:
            raise FetchError(f"{shown_url(url)} takes over {_SECONDS:.0f} s.", "Check the network.")
        parts.append(part)
    return b"".join(parts)


def _why(error: Exception) -> str:
    """Return why a request failed: in words or, for an unknown reason, as an error type."""
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    found = (text for kind, text in _REASONS.items() if isinstance(reason, kind))
    return next(found, type(reason).__name__)


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise FetchError(
            f"{shown_url(url)} is not a URL.", "Give one that begins with https://."
        ) from error
    if parts.username is not None or not host or not url.isascii() or not url.isprintable():
        raise FetchError(
            f"{shown_url(url)} is not the URL of a file.", "Give one like https://HOST/PATH."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_here(host)):
        raise FetchError(f"{shown_url(url)} is not https.", "Give a URL that begins with https://.")


def _is_here(host: str) -> bool:
    """Return whether a host is this machine, where emulated AWS accounts run."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
