"""moto's S3 over HTTP on the loopback, made as strict as S3 where publishing relies on it.

moto's conditional writes are not atomic, and moto checks neither the expected owner nor a checksum.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
import urllib3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from dt_logs_rehearsal.http import loopback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

OWNER = "123456789012"


class Refusal(Exception):
    """A failure that a test makes S3 return: a status and a code."""


@dataclass
class Server:
    """The server, the paths of all uploads, and a test's hook, called before each upload."""

    moto: DomainDispatcherApplication
    url: str = ""
    lock: Lock = field(default_factory=Lock)
    puts: list[str] = field(default_factory=list)
    before_put: Callable[[str], None] = lambda key: None

    def environment(self) -> dict[str, str]:
        """Return the environment variables that direct boto3 and the AWS CLI to the server."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @cached_property
    def s3(self) -> Any:
        """A client that tests share."""
        return self.client()

    def client(self) -> Any:
        """Return a new client."""
        return boto3.Session("test", "test").client("s3", "us-east-1", endpoint_url=self.url)

    def serve(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        path: str = environ["PATH_INFO"]
        is_object = path.count("/") > 1
        signed = "HTTP_AUTHORIZATION" in environ
        with self.lock:
            if environ["REQUEST_METHOD"] == "PUT" and is_object and not environ["QUERY_STRING"]:
                self.puts.append(path)
                try:
                    self.before_put(path)
                except Refusal as refusal:
                    return _refused(start, *refusal.args)
                digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
                if environ.get("HTTP_X_AMZ_CHECKSUM_SHA256") != digest:
                    return _refused(start, "400 Bad Request", "BadDigest")
            if signed and is_object and environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER") != OWNER:
                return _refused(start, "403 Forbidden", "AccessDenied")
            answered: Iterable[bytes] = list(self.moto(environ, start))
            return answered


@contextmanager
def s3_server() -> Iterator[Server]:
    """Serve an empty account."""
    found = Server(DomainDispatcherApplication(create_backend_app))
    with closing(loopback.Server(found.serve)) as server:
        found.url = f"http://{server.address}"
        server.start()
        urllib3.request("POST", f"{found.url}/moto-api/reset")
        yield found


def _refused(start: StartResponse, status: str, code: str) -> list[bytes]:
    start(status, [("Content-Type", "application/xml")])
    return [f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()]
