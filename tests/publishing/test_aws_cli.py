"""The AWS CLI, as an independent client, fetches what was published."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from publishing.conftest import BUCKET, SETTINGS, nobody, place, publication, target_of
from support.aws_cli import aws_cli
from support.s3_server import OWNER, Server

from dt_logs_cfn import __version__, build_release
from dt_logs_cfn.publish.plan import publication_plan
from dt_logs_cfn.publish.publisher import publish
from dt_logs_cfn.verify.fetching import optional

RELEASE = build_release(SETTINGS)
KEY = f"logs-analysis/{__version__}/"


def ran(server: Server, *words: str) -> Any:
    done = subprocess.run(
        (aws_cli(), *words, "--output", "json"),
        env={**os.environ, **server.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_it_gets_the_bytes_that_the_checksums_name(server: Server, tmp_path: Path) -> None:
    target = target_of(SETTINGS)
    plan = publication_plan(publication(RELEASE, latest=True), target)
    (done,) = publish({target: plan}, lambda _: place(server), optional, nobody, lambda *_: None)
    assert done.failure is None
    sums = RELEASE.files["SHA256SUMS"].decode()
    path = tmp_path / "fetched"
    for name in ("SHA256SUMS", "dt-logs-analysis.template.json", "handler.zip", "index.html"):
        found = ran(
            server,
            *("s3api", "get-object", "--bucket", BUCKET, "--key", f"{KEY}{name}"),
            *("--expected-bucket-owner", OWNER, "--checksum-mode", "ENABLED", str(path)),
        )

        assert path.read_bytes() == RELEASE.files[name]
        assert found["CacheControl"] == "public, max-age=31536000, immutable"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert name == "SHA256SUMS" or f"{digest}  {name}\n" in sums
