"""`publish` over HTTP, and `verify` of published files, also after races, kills and mistakes."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from cli.altered import CUSTOMIZATION, DOCUMENTED, NAME, template_in, with_a_right
from support.commands import Ran, Run, aws_cli
from support.s3_server import OWNER, Refusal, Server, s3_server

from dt_logs_cfn import Settings, Vendor, __version__, build_release
from dt_logs_cfn.publish import publisher
from dt_logs_cfn.publish.destination import Destination, destination
from dt_logs_cfn.publish.publisher import (
    Done,
    Fetch,
    Plan,
    Progress,
    publication_plan,
    withdrawal_plan,
)
from dt_logs_cfn.publish.store import Signer, Store
from dt_logs_cfn.release.build import CHECKSUMS, Release
from dt_logs_cfn.verify.fetching import optional
from dt_logs_cfn.verify.provenance import SIGNATURE, sign

BUCKET, GOV_BUCKET = "vendor-releases", "gov-releases"
BASE_URL = f"https://{BUCKET}.s3.us-east-1.amazonaws.com/logs-analysis"
GOV_URL = f"https://s3.us-gov-west-1.amazonaws.com/{GOV_BUCKET}/logs-analysis"
RELEASE_CFG = f"""\
[aws]
vendor_account_id = 111122223333
base_url = {BASE_URL}

[aws-us-gov]
base_url = {GOV_URL}
"""
TARGET = destination(Vendor("aws", "111122223333", base_url=BASE_URL))
NOON = datetime(2027, 1, 31, 12, tzinfo=timezone.utc)
LISTS = ("versions.json", "latest.json")
TEMPLATE, SUMS, SIGNED = (f"{__version__}/{name}" for name in (NAME, CHECKSUMS, SIGNATURE))
Words = tuple[str, ...]
FOR_EVER = "public, max-age=31536000, immutable"


def small(mark: str = "", version: str = __version__) -> Release:
    """Return a release of a few small files, which contain the mark, and their checksums."""
    names = ("dt-logs-analysis.template.json", "handler.zip", "policies/trust.json", "index.html")
    files = {name: f"{name} of this version{mark}\n".encode() for name in names}
    sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in sorted(files.items()))
    return Release(version, {**files, CHECKSUMS: sums.encode()})


RELEASE = small()


def planned(release: Release = RELEASE, signature: bytes | None = None, **more: Any) -> Plan:
    return publication_plan(release, signature, "f00d", NOON, **more)


@pytest.fixture
def server() -> Iterator[Server]:
    with s3_server() as found:
        make_bucket(found, BUCKET)
        yield found


def make_bucket(server: Server, name: str) -> None:
    """Make a bucket whose objects everybody may get."""
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    statement = {**everybody, "Resource": f"arn:aws:s3:::{name}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    server.s3.create_bucket(Bucket=name)
    server.s3.put_bucket_policy(Bucket=name, Policy=policy)


def there(server: Server, bucket: str = BUCKET) -> dict[str, bytes]:
    """Return every object by its name below the prefix, read as an administrator."""
    s3 = server.s3
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    of = {"Bucket": bucket, "ExpectedBucketOwner": OWNER}
    found = {key: s3.get_object(Key=key, **of)["Body"].read() for key in keys}
    return {key.removeprefix("logs-analysis/"): content for key, content in found.items()}


def versions(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(there(server)["versions.json"])["versions"]
    return found


def latest(server: Server) -> Any:
    return json.loads(there(server)["latest.json"])


def put(server: Server, **objects: bytes) -> None:
    """Overwrite objects, as anybody with the bucket account's credentials could."""
    for name, content in objects.items():
        server.s3.put_object(
            Bucket=BUCKET,
            Key=f"logs-analysis/{name}",
            Body=content,
            ChecksumAlgorithm="SHA256",
            ExpectedBucketOwner=OWNER,
        )


@pytest.fixture
def store(server: Server) -> Store:
    """Return the destination's bucket as the publisher uses it."""
    url = f"{server.url}/{BUCKET}/{TARGET.prefix}"
    return Store(server.s3, TARGET, OWNER, url, lambda seconds: None)


def published(
    store: Store,
    plan: Plan,
    fetch: Fetch = optional,
    signer: Signer = lambda content, signature: None,
    progress: Progress = lambda *_: None,
) -> Done:
    (done,) = publisher.publish(plan, [TARGET], lambda _: store, fetch, signer, progress)
    return done


@pytest.fixture
def publish(run: Run, here: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Words:
    """Return a command that publishes; the folder has a build that is marked as released."""
    (here / "release.cfg").write_text(RELEASE_CFG)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    assert run("build", "--mark-released").code == 0
    return ("publish", "--bucket", BUCKET, "--revision", "f00d")


def url(server: Server, name: str) -> str:
    return f"{server.url}/{BUCKET}/logs-analysis/{name}"


def test_everything_is_up_verified_and_publishing_again_changes_nothing(
    run: Run, publish: Words, server: Server, here: Path
) -> None:
    """SHA256SUMS is uploaded first, and versions.json and latest.json last."""
    ran = run(*publish, "--latest")

    found = there(server)
    files = build_release(Settings.load("release.cfg")).files
    assert ran.code == 0
    assert re.fullmatch(rf"{BASE_URL}: done; \d+ steps, \d+ of them changed something\n", ran.out)
    assert "warning: not signed" in ran.err
    uploaded = {f"{__version__}/{name}": content for name, content in files.items()}
    assert found == {**uploaded, **{name: found[name] for name in LISTS}}
    digest = hashlib.sha256(files[CHECKSUMS]).hexdigest()
    entry = {"version": __version__, "sha256sums": digest}
    (listed,) = versions(server)
    assert listed == {**entry, "revision": "f00d", "published": listed["published"]}
    assert latest(server) == {**entry, "url": f"{BASE_URL}/{__version__}/"}
    paths = [each.removeprefix(f"/{BUCKET}/logs-analysis/") for each in server.puts]
    assert (paths[0], tuple(paths[-2:])) == (SUMS, LISTS)

    for name, kind, cache in (
        (f"{__version__}/handler.zip", "application/zip", FOR_EVER),
        (SUMS, "text/plain; charset=utf-8", FOR_EVER),
        (f"{__version__}/index.html", "text/html; charset=utf-8", FOR_EVER),
        (LISTS[0], "application/json", "no-cache"),
        (LISTS[1], "application/json", "no-cache"),
    ):  # with an independent client, which checks the checksum
        words = ("s3api", "get-object", "--output", "json", "--checksum-mode", "ENABLED")
        of = ("--bucket", BUCKET, "--key", f"logs-analysis/{name}", "--expected-bucket-owner")
        got = subprocess.run(
            (aws_cli(), *words, *of, OWNER, "fetched"), capture_output=True, check=True
        )
        answer = json.loads(got.stdout)
        assert (answer["ContentType"], answer["CacheControl"]) == (kind, cache)
        assert (here / "fetched").read_bytes() == found[name]

    for place in (url(server, TEMPLATE), f"s3://{BUCKET}/logs-analysis/{TEMPLATE}"):
        verified = run("verify", place)
        assert verified.code == 0
        assert f"identical to release {__version__}, least-privilege" in verified.out
        assert "not signed: there is no SHA256SUMS.sig beside it" in verified.out
    assert run("verify", url(server, f"{__version__}/handler.zip")).code == 0

    (again,) = json.loads(run(*publish, "--latest", "--json").out)["destinations"]
    done = {each["result"] for each in again["steps"]}
    assert done == {"there already", "identical", f"there already: {__version__}", "it does"}
    assert there(server) == found


def test_a_dry_run_prints_the_steps_that_are_then_done(
    run: Run, publish: Words, server: Server, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings and releases may be in other folders, and the release customized."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (here / "house_rules.py").write_text(CUSTOMIZATION)
    (here / "release.cfg").rename(here / "ours.cfg")
    assert "No base_url of release.cfg names the bucket" in run(*publish).err
    where, customized = ("--config", "ours.cfg", "--out", "x"), ("--customize", "house_rules:add")
    assert run("build", "--mark-released", *where, *customized).code == 0
    assert "is not what this source builds" in run(*publish, *where).refusal
    words = (*publish, *where, *customized, "--latest", "--json")

    (dry,) = json.loads(run(*words, "--dry-run").out)["destinations"]

    assert there(server) == {}
    (place,) = json.loads(run(*words).out)["destinations"]
    assert place["url"] == dry["url"] == BASE_URL
    assert sorted(each["step"] for each in place["steps"]) == sorted(dry["steps"])
    assert dry["steps"][-2:] == [
        f"enter {__version__} into versions.json",
        f"point latest.json to {__version__}",
    ]
    manifest = json.loads(there(server)[f"{__version__}/manifest.json"])
    assert manifest["customized_by"] == "house_rules:add"
    for more, code in ((customized, 0), ((), 1)):
        assert run("verify", url(server, TEMPLATE), *more).code == code


def test_two_partitions_from_one_call_and_one_that_fails_does_not_stop_the_other(
    run: Run, publish: Words, server: Server
) -> None:
    """`publish` does not write to another account's bucket."""
    make_bucket(server, GOV_BUCKET)
    both = ("--bucket", GOV_BUCKET, BUCKET)

    failed = run(*publish, *both, "--bucket-owner", "999999999999", OWNER)

    assert failed.code == 3
    assert f"{BASE_URL}: done" in failed.out
    assert f"{GOV_URL}: stopped" in failed.out
    (line,) = (each for each in failed.err.splitlines() if each.startswith("dt-logs-cfn: "))
    assert line.startswith(f"dt-logs-cfn: {GOV_BUCKET}: AWS denies GetObject")
    assert (there(server, GOV_BUCKET), len(versions(server))) == ({}, 1)
    ran = run(*publish, *both, "--json")
    places = json.loads(ran.out)["destinations"]
    assert [(each["bucket"], each["region"]) for each in places] == [
        (GOV_BUCKET, "us-gov-west-1"),
        (BUCKET, "us-east-1"),
    ]
    progress = [each for each in ran.err.splitlines() if re.match(r"[a-z-]+ +\d+/\d+ ", each)]
    assert len(progress) == sum(len(each["steps"]) for each in places)
    assert there(server).keys() == there(server, GOV_BUCKET).keys()


def test_what_is_refused_and_nothing_of_it_is_there(
    run: Run, publish: Words, server: Server, here: Path, key: Path
) -> None:
    """The bucket, prefix, region, profile, signing key and release on disk are checked first."""
    withdraw = ("publish", "--bucket", BUCKET, "--withdraw")
    for code, words, told in (
        (3, (*publish, "--prefix", "other"), "has the prefix 'logs-analysis'"),
        (3, (*publish, "--region", "eu-west-1"), "has the region 'us-east-1', not 'eu-west-1'"),
        (3, (*publish, "--profile", "nobody"), "The config profile (nobody) could not be found"),
        (3, (*publish, "--sign", key), "is not in src/dt_logs_cfn/signers/allowed_signers"),
        (3, (*publish, "--sign", "nowhere"), "nowhere is not a file"),
        (2, (*withdraw, "", "--reason", "x"), "'' is not valid. Give a version like 1.2.3"),
        (2, (*withdraw, "0.1.0", "--reason", "x", "--latest"), "--latest is for publishing"),
        (2, (*withdraw, "0.1.0"), "belong together"),
    ):
        ran = run(*words)
        assert (ran.code, told in ran.err) == (code, True), ran
    same = run(*publish, "--prefix", "/logs-analysis/", "--region", "us-east-1", "--dry-run")
    assert same.code == 0
    (here / "build" / "RELEASED").write_text("")
    assert f"{__version__} is not marked as released" in run(*publish).refusal
    (here / "build" / TEMPLATE).write_text("{}")
    assert "is not what this source builds" in run(*publish).refusal
    assert there(server) == {}


@pytest.mark.usefixtures("publish")
def test_the_revision_is_a_commit_with_nothing_besides(run: Run, here: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(("git", *identity, *words), capture_output=True, check=True)

    publish = ("publish", "--bucket", BUCKET, "--json")
    assert "not a git repository" in run(*publish).refusal
    git("init", "-q")
    assert "has uncommitted changes" in run(*publish).refusal
    git("add", "-A")
    git("commit", "-q", "-m", __version__)
    assert run(*publish).code == 0
    (here / "evil.py").write_text("")
    assert "(?? evil.py)" in run(*publish).refusal


@pytest.fixture
def key(tmp_path: Path) -> Path:
    made = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(tmp_path / "key"))
    subprocess.run(made, check=True)
    return tmp_path / "key"


def test_who_signed_is_told_and_what_is_altered_withdrawn_or_in_the_place_of_others(
    run: Run, publish: Words, server: Server, here: Path, key: Path
) -> None:
    assert run(*publish).code == 0
    put(server, **{SIGNED: sign(there(server)[SUMS], key)})  # as `publish --sign` does
    public = key.with_suffix(".pub").read_text().strip()
    (here / "allowed").write_text(f'# us\nus@example.com namespaces="dt-logs-cfn" {public}\n')
    signed = there(server)

    def verified(place: str, *more: str) -> Ran:
        return run("verify", place, "--signers", "allowed", *more)

    told = json.loads(verified(url(server, TEMPLATE), "--json").out)
    assert told["signature"] == {"state": "signed", "told": "signed by us@example.com"}
    assert told["version_status"]["state"] == "published"
    by_nobody = run("verify", url(server, TEMPLATE))
    assert by_nobody.code == 1
    assert "the signature is NOT from a signer that this source names" in by_nobody.out

    # Signed files are also copied to another release, and to another template's name.
    copied = {f"9.0.0/{name.partition('/')[2]}": signed[name] for name in (TEMPLATE, SUMS, SIGNED)}
    altered = json.dumps(with_a_right(template_in(signed[TEMPLATE]))).encode()
    listed = json.loads(signed["versions.json"])
    listed["versions"][0]["sha256sums"] = "0" * 64
    ours, documented = __version__, signed[f"{__version__}/{DOCUMENTED}"]
    other = json.dumps(listed).encode()
    for folder, changed, said in (
        ("9.0.0", copied, f"of version {ours}, NOT of 9.0.0, the folder that it is"),
        (ours, {TEMPLATE: documented}, f"listed in SHA256SUMS as {DOCUMENTED}, NOT as {NAME}"),
        (ours, {TEMPLATE: altered}, r"/Statement/\d+ added\n.*NOT in the SHA256SUMS beside it"),
        (ours, {LISTS[0]: other}, f"versions.json has other contents for {ours}"),
    ):
        put(server, **signed | changed)
        ran = verified(url(server, f"{folder}/{NAME}"))
        assert (ran.code, bool(re.search(said, ran.out))) == (1, True), ran.out

    put(server, **signed)
    server.s3.delete_object(Bucket=BUCKET, Key=f"logs-analysis/{SIGNED}", ExpectedBucketOwner=OWNER)
    ran = verified(url(server, TEMPLATE))
    assert (ran.code, "not signed" in ran.out) == (1, True)
    assert verified(f"build/{TEMPLATE}").code == 0
    assert verified(f"build/{TEMPLATE}", "--require-signature").code == 1

    withdraw = ("publish", "--bucket", BUCKET, "--withdraw", __version__)
    assert run(*withdraw, "--reason", "it opens doors").code == 0
    ran = run("verify", url(server, TEMPLATE))
    told = re.search(r"WITHDRAWN on 20\d\d-\d\d-\d\d: it opens doors", ran.out)
    assert (ran.code, bool(told)) == (1, True)
    put(server, **{f"{__version__}/handler.zip": b"0" * 1_000_001})
    for place, said in (
        (url(server, f"{__version__}/handler.zip"), "has more than 1,000,000 bytes"),
        (url(server, f"{__version__}/nothing.json"), "does not exist or is not public"),
        (f"s3://{BUCKET}/nothing", "does not exist"),
        ("http://example.com/t.json", "is not https"),
    ):
        assert said in run("verify", place).refusal


def test_sixteen_publishers_of_different_bytes_at_once(server: Server, store: Store) -> None:
    """One publisher wins, fifteen fail with a reason, and no files are mixed."""
    releases = [small(f"{number:x}") for number in range(16)]
    admitted = Barrier(16, timeout=300)

    def together(target: Destination, step: str, result: str) -> None:
        """Hold uploads until all have checked; a late check would find the version listed."""
        if step == f"check whether versions.json accepts {__version__}":
            admitted.wait()

    with ThreadPoolExecutor(16) as pool:
        plans = [planned(each, latest=True) for each in releases]
        done = list(pool.map(lambda each: published(store, each, progress=together), plans))

    (winner,) = (number for number, each in enumerate(done) if each.failure is None)
    assert {str(each.failure) for each in done if each.failure} == {
        f"s3://{BUCKET}/logs-analysis/{SUMS} exists with other contents. Raise __version__ in"
        " src/dt_logs_cfn/__init__.py: published objects never change."
    }
    found = there(server)
    uploaded = {f"{__version__}/{name}": c for name, c in releases[winner].files.items()}
    assert found == {**uploaded, **{name: found[name] for name in LISTS}}
    assert [each["sha256sums"] for each in versions(server)] == [releases[winner].sha256]


def test_publishers_of_different_versions_lose_nobodys_entry(server: Server, store: Store) -> None:
    given = [planned(small("", f"1.{number}.0"), latest=True) for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda each: published(store, each), given))

    assert [each.failure for each in done] == [None] * 8
    assert [each["version"] for each in versions(server)] == [f"1.{n}.0" for n in range(7, -1, -1)]
    assert latest(server)["version"] == "1.7.0"


class Killed(BaseException):
    """The publisher was killed in the middle of its work."""


def test_killed_at_each_upload_and_run_again(server: Server, store: Store) -> None:
    given = planned(latest=True)
    published(store, given)
    complete = there(server)
    assert len(server.puts) == len(complete) == len(RELEASE.files) + 2

    for number in range(len(complete)):
        for name in there(server):
            key = f"logs-analysis/{name}"
            server.s3.delete_object(Bucket=BUCKET, Key=key, ExpectedBucketOwner=OWNER)
        made = Counter[str]()

        def before(number: int = number, made: Counter[str] = made, **_: Any) -> None:
            made["puts"] += 1
            if made["puts"] > number:
                raise Killed

        dying = server.client()
        dying.meta.events.register("before-call.s3.PutObject", before)
        with pytest.raises(Killed):
            published(replace(store, s3=dying), given)
        left = there(server)
        # versions.json exists only if the version is complete.
        assert "versions.json" not in left or len(left) > len(RELEASE.files)
        assert published(store, given).failure is None
        assert there(server) == complete


@pytest.mark.parametrize("endless", [False, True])
def test_a_conflict_of_two_writers_is_tried_again_but_not_for_ever(
    server: Server, store: Store, endless: bool
) -> None:
    """S3 answers 409 while another conditional write of the object is in progress."""
    conflicts = Counter[str]()

    def before(key: str) -> None:
        conflicts[key] += 1
        if endless or conflicts[key] < 3:
            raise Refusal("409 Conflict", "ConditionalRequestConflict")

    server.before_put = before
    done = published(store, planned(latest=True))

    if not endless:
        assert (done.failure, {*conflicts.values()}) == (None, {3})
        return
    assert str(done.failure) == (
        f"Others keep writing s3://{BUCKET}/logs-analysis/{SUMS}. Publish again when they are done."
    )


def test_what_customers_cannot_read_gets_no_entry_and_what_they_see_is_what_was_written(
    server: Server, store: Store
) -> None:
    """Publishing fails if a cache shows an older versions.json."""

    def stale(url: str, limit: int) -> bytes | None:
        return b'{"versions":[]}' if url.endswith("versions.json") else optional(url, limit)

    done = published(store, planned(latest=True), lambda url, limit: None)
    assert "cannot be read by everybody" in str(done.failure)
    assert "versions.json" not in there(server)

    done = published(store, planned(latest=True), stale)
    assert "versions.json does not show what was written" in str(done.failure)

    content = b'{"versions":[{"version":"x"}]}'  # not ours, so it is not overwritten
    put(server, **{"versions.json": content})
    assert "versions.json is damaged" in str(published(store, planned()).failure)
    assert there(server)["versions.json"] == content


def test_a_signature_that_counts_is_as_good_as_another(server: Server, store: Store) -> None:
    """Hardware tokens and ECDSA keys sign the same bytes differently each time."""

    def somebody(content: bytes, signature: bytes) -> str | None:
        return "us@example.com" if signature.startswith(b"good") else None

    def signing(signature: bytes) -> str:
        return str(published(store, planned(signature=signature), signer=somebody).failure)

    assert [signing(each) for each in (b"good 1", b"good 2, and longer")] == ["None"] * 2
    assert there(server)[SIGNED] == b"good 1"
    put(server, **{SIGNED: b"bad"})
    assert "SHA256SUMS.sig exists with other contents" in signing(b"good 3")


def test_objects_are_locked(server: Server, store: Store) -> None:
    s3 = server.s3
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    until = NOON + timedelta(days=3650)
    locked = replace(store, destination=replace(TARGET, bucket="locked"))

    def retained(until: datetime | None) -> object:
        assert published(locked, planned(retain_until=until)[1:3]).failure is None
        key = f"logs-analysis/{__version__}/handler.zip"
        found = s3.head_object(Bucket="locked", Key=key, ExpectedBucketOwner=OWNER)
        return found.get("ObjectLockMode"), found.get("ObjectLockRetainUntilDate")

    assert retained(None) == (None, None)
    # An existing object gets the requested lock, unless its own is longer.
    earlier = until - timedelta(days=1)
    assert retained(earlier) == ("COMPLIANCE", earlier)
    assert retained(until) == ("COMPLIANCE", until)
    assert retained(earlier) == ("COMPLIANCE", until)


def test_a_version_is_withdrawn_and_latest_goes_back_only_then(
    server: Server, store: Store
) -> None:
    def withdraw(version: str) -> str:
        return str(published(store, withdrawal_plan(version, "it opens doors", NOON)).failure)

    assert "3.0.0 is not a published version" in withdraw("3.0.0")
    assert there(server) == {}
    for version, is_latest in (("1.1.0", True), ("1.0.0", True), ("2.0.0", False)):
        plan = planned(small("", version), latest=is_latest)
        assert published(store, plan).failure is None
        assert latest(server)["version"] == "1.1.0"

    assert withdraw("1.1.0") == "None"

    assert latest(server)["version"] == "1.0.0"
    at = "2027-01-31T12:00:00Z"
    assert [(each["published"], each.get("withdrawn")) for each in versions(server)] == [
        (at, None),
        (at, {"at": at, "reason": "it opens doors"}),
        (at, None),
    ]
    # The withdrawn version's files are still there, byte for byte.
    assert there(server)["1.1.0/handler.zip"] == RELEASE.files["handler.zip"]
    again = published(store, planned(small("", "1.1.0"), latest=True))
    assert str(again.failure) == "1.1.0 was withdrawn: it opens doors. Raise the version."
    assert withdraw("1.0.0") == "None"
    assert latest(server) == {"version": None}
