"""`publish` and `verify` on the command line, against S3 over HTTP."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli.altered import template_in, with_a_right
from cli.running import Ran, Run, run_main
from publishing.conftest import BASE_URL, BUCKET, make_bucket, put, there
from support.commands import aws_cli
from support.s3_server import OWNER, Server

from dt_logs_cfn import Settings, __version__, build_release
from dt_logs_cfn.verify.provenance import sign

TEMPLATE = "dt-logs-analysis.template.json"
FOLDER = f"logs-analysis/{__version__}"
GOV_URL = "https://s3.us-gov-west-1.amazonaws.com/gov-releases/logs-analysis"
RELEASE_CFG = f"""\
[aws]
vendor_account_id = 111122223333
base_url = {BASE_URL}

[aws-us-gov]
base_url = {GOV_URL}
"""


@pytest.fixture
def run(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Return a function that runs a command in a checkout with a build marked as released."""
    (tmp_path / "release.cfg").write_text(RELEASE_CFG)
    monkeypatch.chdir(tmp_path)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)

    def run(*argv: str | Path) -> Ran:
        return run_main([str(word) for word in argv], capsys)

    assert run("build", "--mark-released").code == 0
    return run


def publish(run: Run, *more: str | Path) -> Ran:
    return run("publish", "--bucket", BUCKET, "--revision", "f00d", *more)


def url(server: Server, name: str) -> str:
    return f"{server.url}/{BUCKET}/{FOLDER}/{name}"


def test_it_publishes_and_what_is_there_is_verified(
    run: Run, server: Server, tmp_path: Path
) -> None:
    ran = publish(run, "--latest")

    assert ran.code == 0
    assert re.fullmatch(rf"{BASE_URL}: done; \d+ steps, \d+ of them changed something\n", ran.out)
    assert "warning: not signed" in ran.err
    verified = run("verify", url(server, TEMPLATE))
    assert verified.code == 0
    assert f"identical to release {__version__}, least-privilege" in verified.out
    assert "not signed: there is no SHA256SUMS.sig beside it" in verified.out
    by_s3 = run("verify", f"s3://{BUCKET}/{FOLDER}/{TEMPLATE}")
    assert (by_s3.code, f"identical to release {__version__}" in by_s3.out) == (0, True)
    assert run("verify", url(server, "handler.zip")).code == 0

    for name in ("SHA256SUMS", TEMPLATE, "handler.zip", "index.html"):  # an independent client
        got = subprocess.run(
            (
                *(aws_cli(), "s3api", "get-object", "--output", "json"),
                *("--bucket", BUCKET, "--key", f"{FOLDER}/{name}"),
                *("--expected-bucket-owner", OWNER, "--checksum-mode", "ENABLED", "fetched"),
            ),
            capture_output=True,
            check=True,
        )
        assert json.loads(got.stdout)["CacheControl"] == "public, max-age=31536000, immutable"
        built = tmp_path / "build" / __version__ / name
        assert (tmp_path / "fetched").read_bytes() == built.read_bytes()


def test_settings_and_releases_may_be_anywhere(run: Run, server: Server, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "release.cfg").rename(tmp_path / "elsewhere" / "ours.cfg")
    (tmp_path / "build").rename(tmp_path / "elsewhere" / "releases")
    where = ("--config", "elsewhere/ours.cfg", "--out", "elsewhere/releases")

    assert "No base_url of release.cfg names the bucket" in publish(run).err
    assert publish(run, *where).code == 0

    files = build_release(Settings.load(tmp_path / "elsewhere" / "ours.cfg")).files
    assert there(server)[f"{FOLDER}/{TEMPLATE}"] == files[TEMPLATE]


def test_a_dry_run_prints_the_steps_that_are_then_done(run: Run, server: Server) -> None:
    planned = publish(run, "--latest", "--dry-run", "--json")

    assert there(server) == {}
    (place,) = json.loads(planned.out)["destinations"]
    assert place["url"] == BASE_URL
    done = json.loads(publish(run, "--latest", "--json").out)["destinations"][0]["steps"]
    assert sorted(each["step"] for each in done) == sorted(place["steps"])
    assert place["steps"][-2:] == [
        f"enter {__version__} into versions.json",
        f"point latest.json to {__version__}",
    ]


def test_two_partitions_from_one_call_and_one_line_for_each_failure(
    run: Run, server: Server
) -> None:
    both = ("publish", "--bucket", BUCKET, "gov-releases", "--revision", "f00d")
    failed = run(*both)
    make_bucket(server, "gov-releases")
    ran = run(*both, "--json")

    assert failed.code == 3
    assert f"{BASE_URL}: done" in failed.out
    assert f"{GOV_URL}: stopped" in failed.out
    (line,) = (each for each in failed.err.splitlines() if each.startswith("dt-logs-cfn: "))
    assert line.startswith("dt-logs-cfn: gov-releases: GetObject failed with NoSuchBucket")
    assert ran.code == 0
    places = json.loads(ran.out)["destinations"]
    assert [(each["bucket"], each["region"]) for each in places] == [
        (BUCKET, "us-east-1"),
        ("gov-releases", "us-gov-west-1"),
    ]
    assert there(server).keys() == there(server, "gov-releases").keys()


def test_what_is_refused_and_nothing_of_it_is_there(
    run: Run, server: Server, tmp_path: Path, key: Path
) -> None:
    """The bucket, prefix, region, signing key and release on disk are checked first."""
    for words, told in (
        (("--prefix", "other"), "has the prefix 'logs-analysis'"),
        (("--region", "eu-west-1"), "has the region 'us-east-1', not 'eu-west-1'"),
        (("--sign", key), "is not in src/dt_logs_cfn/signers/allowed_signers"),
        (("--sign", "nowhere"), "nowhere is not a file"),
    ):
        assert told in publish(run, *words).failure
    same = publish(run, "--prefix", "/logs-analysis/", "--region", "us-east-1", "--dry-run")
    assert same.code == 0
    (tmp_path / "build" / "RELEASED").write_text("")
    assert f"{__version__} is not marked as released" in publish(run).failure
    (tmp_path / "build" / __version__ / TEMPLATE).write_text("{}")
    assert "is not what this source builds" in publish(run).failure
    assert there(server) == {}


def test_the_revision_is_a_commit_with_nothing_besides(run: Run, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        done = subprocess.run(
            ("git", *identity, *words), cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def published() -> Ran:
        return run("publish", "--bucket", BUCKET, "--json")

    assert "not a git repository" in published().failure
    git("init", "-q")
    assert "has uncommitted changes" in published().failure
    git("add", "-A")
    git("commit", "-q", "-m", __version__)
    ran = published()
    assert ran.code == 0
    (tmp_path / "evil.py").write_text("")
    assert "(?? evil.py)" in published().failure


@pytest.fixture
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "key"
    made = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path))
    subprocess.run(made, check=True)
    return path


@pytest.fixture
def signers(run: Run, server: Server, tmp_path: Path, key: Path) -> Path:
    """Publish, sign as `publish --sign` does, and return an allowed-signers file with the key."""
    assert publish(run).code == 0
    put(server, f"{__version__}/SHA256SUMS.sig", sign(object_at(server, "SHA256SUMS"), key))
    public = key.with_suffix(".pub").read_text().strip()
    listed = tmp_path / "allowed_signers"
    listed.write_text(f'# us\nreleases@example.com namespaces="dt-logs-cfn" {public}\n')
    return listed


def object_at(server: Server, name: str) -> bytes:
    """Return a file of the published version."""
    return there(server)[f"{FOLDER}/{name}"]


def test_who_signed_is_told_and_a_missing_signature_is_missed(
    run: Run, server: Server, signers: Path
) -> None:
    by_us = ("verify", url(server, TEMPLATE), "--signers", signers)
    ran = run(*by_us)

    assert ran.code == 0
    assert "signed by releases@example.com" in ran.out
    told = json.loads(run(*by_us, "--json").out)
    assert told["signature"]["state"] == "signed"
    assert told["version_status"]["state"] == "published"
    by_nobody_we_name = run("verify", url(server, TEMPLATE))
    assert by_nobody_we_name.code == 1
    assert "the signature is NOT from a signer that this source names" in by_nobody_we_name.out

    key = f"{FOLDER}/SHA256SUMS.sig"
    server.s3.delete_object(Bucket=BUCKET, Key=key, ExpectedBucketOwner=OWNER)
    ran = run(*by_us)
    assert (ran.code, "not signed" in ran.out) == (1, True)
    local = ("verify", f"build/{__version__}/{TEMPLATE}", "--signers", signers)
    assert run(*local).code == 0
    assert run(*local, "--require-signature").code == 1


def test_files_that_are_altered_or_in_the_place_of_others(
    run: Run, server: Server, signers: Path
) -> None:
    """Signed files are also copied to another release, and to another template's name."""
    other = "dt-logs-analysis-documented.template.json"
    template = object_at(server, TEMPLATE)
    for name in (TEMPLATE, "SHA256SUMS", "SHA256SUMS.sig"):
        put(server, f"9.0.0/{name}", object_at(server, name))

    def verified(version: str) -> str:
        where = url(server, TEMPLATE).replace(__version__, version)
        ran = run("verify", where, "--signers", signers)
        assert ran.code == 1
        return ran.out

    assert f"of version {__version__}, NOT of 9.0.0, the folder that it is in" in verified("9.0.0")
    put(server, f"{__version__}/{TEMPLATE}", object_at(server, other))
    renamed = verified(__version__)
    assert f"listed in SHA256SUMS as {other}, NOT as {TEMPLATE}" in renamed
    altered = with_a_right(template_in(template))
    put(server, f"{__version__}/{TEMPLATE}", json.dumps(altered).encode())
    told = verified(__version__)
    assert re.search(r"Policies/0/PolicyDocument/Statement/\d+ added", told)
    assert "NOT in the SHA256SUMS beside it" in told
    put(server, f"{__version__}/{TEMPLATE}", template)
    listed = json.loads(there(server)["logs-analysis/versions.json"])
    listed["versions"][0]["sha256sums"] = "0" * 64
    put(server, "versions.json", json.dumps(listed).encode())
    assert f"versions.json has other contents for {__version__}" in verified(__version__)


def test_what_is_withdrawn_too_large_or_not_there_is_told(run: Run, server: Server) -> None:
    publish(run, "--latest")
    withdraw = ("publish", "--bucket", BUCKET, "--withdraw")

    assert run(*withdraw, __version__, "--reason", "it opens doors").code == 0

    verified = run("verify", url(server, TEMPLATE))
    assert verified.code == 1
    assert re.search(r"WITHDRAWN on 20\d\d-\d\d-\d\d: it opens doors", verified.out)
    assert run(*withdraw, "", "--reason", "x").code == 2
    both = run(*withdraw, __version__, "--reason", "x", "--latest")
    assert (both.code, "--latest is for publishing" in both.err) == (2, True)
    alone = run(*withdraw, __version__)
    assert (alone.code, "belong together" in alone.err) == (2, True)

    put(server, f"{__version__}/handler.zip", b"0" * 1_000_001)
    assert "has more than 1,000,000 bytes" in run("verify", url(server, "handler.zip")).failure
    assert "does not exist or is not public" in run("verify", url(server, "nothing.json")).failure
    assert "does not exist" in run("verify", f"s3://{BUCKET}/nothing").failure
    assert "is not https" in run("verify", "http://example.com/t.json").failure


def test_without_credentials(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    ran = publish(run)

    assert ran.code == 3
    assert "There are no AWS credentials (NoCredentialsError)" in ran.err


def test_what_is_released_is_neither_built_over_nor_changed(run: Run, tmp_path: Path) -> None:
    assert run("build", "--check").code == 0
    (tmp_path / "release.cfg").write_text("[aws]\nvendor_account_id = 999999999999\n")
    assert f"Version {__version__} is released" in run("build").failure

    (tmp_path / "release.cfg").write_text(RELEASE_CFG)
    shutil.copytree(f"build/{__version__}", "build/0.0.9")
    listed = tmp_path / "build" / "RELEASED"
    sums = listed.read_text().partition(" ")[0]
    listed.write_text(f"{listed.read_text()}{sums}  0.0.9/SHA256SUMS\n")
    assert run("build", "--check").code == 0
    (tmp_path / "build" / "0.0.9" / "handler.zip").write_bytes(b"")
    changed = run("build", "--check")
    assert changed.code == 1
    assert "build/0.0.9/handler.zip is not what was released: restore it." in changed.err
    # RELEASED lists each SHA256SUMS, not the other files.
    subprocess.run(("sha256sum", "-c", "RELEASED"), cwd="build", capture_output=True, check=True)


CUSTOMIZATION = """\
from troposphere import Output


def add(template, kind):
    template.add_output(Output("Owner", Value="edge"))
"""


def test_a_customized_release_is_published_and_verified_with_the_function(
    run: Run, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = "house_rules:add"
    (tmp_path / "house_rules.py").write_text(CUSTOMIZATION)
    (tmp_path / "build" / "RELEASED").unlink()
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "house_rules", raising=False)
    assert run("build", "--mark-released", "--customize", by).code == 0

    assert "is not what this source builds" in publish(run).failure
    assert there(server) == {}
    assert publish(run, "--customize", by).code == 0

    assert json.loads(object_at(server, "manifest.json"))["customized_by"] == by
    for place in (url(server, TEMPLATE), f"s3://{BUCKET}/{FOLDER}/{TEMPLATE}"):
        same = run("verify", place, "--customize", by)
        assert same.code == 0
        assert f"identical to release {__version__}, customized by {by}, least-priv" in same.out
        assert run("verify", place).code == 1
