"""Publishing over HTTP: the bucket's contents after races, kills and mistakes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from publishing.conftest import (
    BASE_URL,
    BUCKET,
    NOON,
    RELEASE,
    TARGET,
    make_bucket,
    planned,
    put,
    small,
    store_of,
    there,
)
from support.s3_server import OWNER, Refusal, Server

from dt_logs_cfn.publish.plan import Destination, Enter, Plan, Step, withdrawal_plan
from dt_logs_cfn.publish.publisher import Done, Fetch, Progress, publish
from dt_logs_cfn.publish.store import Signer, Store
from dt_logs_cfn.release.build import CHECKSUMS
from dt_logs_cfn.verify.fetching import optional

PREFIX = "logs-analysis/0.1.0/"


def nobody(content: bytes, signature: bytes) -> str | None:
    """Return None, as for an invalid signature."""
    return None


def run(
    store: Store,
    plan: Plan,
    progress: Progress = lambda *_: None,
    fetch: Fetch = optional,
    signer: Signer = nobody,
) -> Done:
    (done,) = publish(plan, [TARGET], lambda _: store, fetch, signer, progress)
    return done


def published(server: Server, plan: Plan, fetch: Fetch = optional) -> Done:
    return run(store_of(server), plan, fetch=fetch)


def versions(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(there(server)["logs-analysis/versions.json"])[
        "versions"
    ]
    return found


def latest(server: Server) -> Any:
    return json.loads(there(server)["logs-analysis/latest.json"])


def test_everything_is_up_and_publishing_again_changes_nothing(server: Server) -> None:
    """The checksums are put first, and the files that point to them last."""
    done = published(server, planned(latest=True))

    found = there(server)
    names = ("versions.json", "latest.json")
    uploaded = {key: content for key, content in found.items() if key.startswith(PREFIX)}
    assert done.failure is None
    assert uploaded == {f"{PREFIX}{name}": content for name, content in RELEASE.files.items()}
    assert found.keys() - uploaded.keys() == {f"logs-analysis/{name}" for name in names}
    digest = hashlib.sha256(RELEASE.files[CHECKSUMS]).hexdigest()
    entry = {"version": "0.1.0", "sha256sums": digest}
    at = "2027-01-31T12:00:00Z"
    assert versions(server) == [{**entry, "revision": "f00d", "published": at}]
    assert latest(server) == {**entry, "url": f"{BASE_URL}/0.1.0/"}
    for_ever = "public, max-age=31536000, immutable"
    for name, kind, cache in (
        ("0.1.0/handler.zip", "application/zip", for_ever),
        ("0.1.0/SHA256SUMS", "text/plain; charset=utf-8", for_ever),
        ("0.1.0/index.html", "text/html; charset=utf-8", for_ever),
        ("versions.json", "application/json", "no-cache"),
        ("latest.json", "application/json", "no-cache"),
    ):
        of = {"Bucket": BUCKET, "ExpectedBucketOwner": OWNER}
        head = server.s3.head_object(Key=f"logs-analysis/{name}", **of)
        assert (head["ContentType"], head["CacheControl"]) == (kind, cache)
    assert server.puts[0] == f"/{BUCKET}/{PREFIX}SHA256SUMS"
    assert server.puts[-2:] == [f"/{BUCKET}/logs-analysis/{name}" for name in names]

    done = published(server, planned(latest=True, at=NOON + timedelta(days=1)))

    assert done.failure is None
    assert {result for _, result in done.results} == {
        "there already",
        "identical",
        "there already: 0.1.0",
        "it does",
    }
    assert there(server) == found


def test_other_bytes_are_refused_and_what_is_there_stays(server: Server) -> None:
    run(store_of(server), planned()[1:3])  # killed before it listed the version
    before = there(server)

    done = published(server, planned(small("x")))

    assert str(done.failure) == (
        f"s3://{BUCKET}/{PREFIX}SHA256SUMS exists with other contents. Raise __version__ in"
        " src/dt_logs_cfn/__init__.py: published objects never change."
    )
    assert there(server) == before
    put(server, "0.1.0/handler.zip", b"x")  # as another publisher could
    done = published(server, planned())
    assert f"{PREFIX}handler.zip exists with other contents" in str(done.failure)


def test_sixteen_publishers_of_different_bytes_at_once(server: Server) -> None:
    """One publisher wins, fifteen fail with a reason, and no files are mixed."""
    releases = [small(f"{number:x}") for number in range(16)]
    admitted = Barrier(16, timeout=300)

    def together(target: Destination, step: Step, result: str) -> None:
        """Hold uploads until all have checked; otherwise the last would find the version listed."""
        if isinstance(step, Enter) and step.only_check:
            admitted.wait()

    with ThreadPoolExecutor(16) as pool:
        plans = [planned(each, latest=True) for each in releases]
        done = list(pool.map(lambda each: run(store_of(server), each, together), plans))

    told = [each.failure for each in done]
    (winner,) = (number for number, failure in enumerate(told) if failure is None)
    assert all("exists with other contents" in str(each) for each in told if each)
    found = there(server)
    for name, content in releases[winner].files.items():
        assert found[f"{PREFIX}{name}"] == content
    assert len(found) == len(RELEASE.files) + 2
    assert [each["sha256sums"] for each in versions(server)] == [releases[winner].sha256]


def test_publishers_of_different_versions_lose_nobodys_entry(server: Server) -> None:
    given = [planned(small("", f"1.{number}.0"), latest=True) for number in range(8)]

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda each: published(server, each), given))

    assert [each.failure for each in done] == [None] * 8
    assert [each["version"] for each in versions(server)] == [f"1.{n}.0" for n in range(7, -1, -1)]
    assert latest(server)["version"] == "1.7.0"


class Killed(BaseException):
    """The publisher was killed in the middle of its work."""


def test_killed_at_each_upload_and_run_again(server: Server) -> None:
    given = planned(latest=True)
    published(server, given)
    complete = there(server)
    count = len(server.puts)
    assert count == len(RELEASE.files) + 2

    for number in range(count):
        s3 = server.s3
        for key in there(server):
            s3.delete_object(Bucket=BUCKET, Key=key, ExpectedBucketOwner=OWNER)
        with pytest.raises(Killed):
            run(dying(server, number), given)
        left = there(server)
        # versions.json exists only if the version is complete.
        assert "logs-analysis/versions.json" not in left or len(left) > len(RELEASE.files)
        done = published(server, given)
        assert done.failure is None
        assert there(server) == complete


def dying(server: Server, number: int) -> Store:
    """Return a bucket whose publisher is killed at this write, before the write takes effect."""
    made = Counter[str]()

    def before(**_: Any) -> None:
        made["puts"] += 1
        if made["puts"] > number:
            raise Killed

    s3 = server.client()
    s3.meta.events.register("before-call.s3.PutObject", before)
    return replace(store_of(server), s3=s3)


@pytest.mark.parametrize("endless", [False, True])
def test_a_conflict_of_two_writers_is_tried_again_but_not_for_ever(
    server: Server, endless: bool
) -> None:
    """S3 answers 409 while another conditional write of the object is in progress."""
    conflicts = Counter[str]()

    def before(key: str) -> None:
        conflicts[key] += 1
        if endless or conflicts[key] < 3:
            raise Refusal("409 Conflict", "ConditionalRequestConflict")

    server.before_put = before
    done = published(server, planned(latest=True))

    if not endless:
        assert (done.failure, {*conflicts.values()}) == (None, {3})
        return
    assert str(done.failure) == (
        f"Others keep writing s3://{BUCKET}/{PREFIX}SHA256SUMS. Publish again when they are done."
    )


def test_what_customers_cannot_read_gets_no_entry_and_what_they_see_is_what_was_written(
    server: Server,
) -> None:
    """Publishing fails if a cache shows an older versions.json."""

    def stale(url: str, limit: int) -> bytes | None:
        return b'{"versions":[]}' if url.endswith("versions.json") else optional(url, limit)

    done = published(server, planned(latest=True), lambda url, limit: None)
    assert "cannot be read by everybody" in str(done.failure)
    assert "logs-analysis/versions.json" not in there(server)

    done = published(server, planned(latest=True), stale)
    assert "versions.json does not show what was written" in str(done.failure)

    content = b'{"versions":[{"version":"x"}]}'  # not ours, so it is not overwritten
    put(server, "versions.json", content)
    assert "versions.json is damaged" in str(published(server, planned()).failure)
    assert there(server)["logs-analysis/versions.json"] == content


def test_a_signature_that_counts_is_as_good_as_another(server: Server) -> None:
    """Hardware tokens and ECDSA keys sign the same bytes differently each time."""

    def somebody(content: bytes, signature: bytes) -> str | None:
        return "us@example.com" if signature.startswith(b"good") else None

    def signing(signature: bytes) -> Done:
        plan = planned(signature=signature)
        return run(store_of(server), plan, signer=somebody)

    assert signing(b"good 1").failure is None
    assert signing(b"good 2, and longer").failure is None
    assert there(server)[f"{PREFIX}SHA256SUMS.sig"] == b"good 1"
    put(server, "0.1.0/SHA256SUMS.sig", b"bad")
    assert "SHA256SUMS.sig exists with other contents" in str(signing(b"good 3").failure)


def test_objects_are_locked(server: Server) -> None:
    s3 = server.s3
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    until = NOON + timedelta(days=3650)
    locked = replace(store_of(server), destination=replace(TARGET, bucket="locked"))

    def retained(until: datetime | None) -> object:
        done = run(locked, planned(retain_until=until)[1:3])
        assert done.failure is None
        found = s3.head_object(
            Bucket="locked", Key=f"{PREFIX}handler.zip", ExpectedBucketOwner=OWNER
        )
        return found.get("ObjectLockMode"), found.get("ObjectLockRetainUntilDate")

    assert retained(None) == (None, None)
    # An existing object gets the requested lock, unless its own is longer.
    earlier = until - timedelta(days=1)
    assert retained(earlier) == ("COMPLIANCE", earlier)
    assert retained(until) == ("COMPLIANCE", until)
    assert retained(earlier) == ("COMPLIANCE", until)


def withdraw(server: Server, version: str) -> Done:
    return run(store_of(server), withdrawal_plan(version, "it opens the bucket", NOON))


def test_a_version_is_withdrawn_and_latest_goes_back_only_then(server: Server) -> None:
    assert "3.0.0 is not a published version" in str(withdraw(server, "3.0.0").failure)
    assert there(server) == {}
    for version, is_latest in (("1.1.0", True), ("1.0.0", True), ("2.0.0", False)):
        plan = planned(small("", version), latest=is_latest)
        assert published(server, plan).failure is None
        assert latest(server)["version"] == "1.1.0"

    assert withdraw(server, "1.1.0").failure is None

    assert latest(server)["version"] == "1.0.0"
    assert [each.get("withdrawn") for each in versions(server)] == [
        None,
        {"at": "2027-01-31T12:00:00Z", "reason": "it opens the bucket"},
        None,
    ]
    # The withdrawn version's files are still there, byte for byte.
    assert there(server)["logs-analysis/1.1.0/handler.zip"] == RELEASE.files["handler.zip"]
    again = published(server, planned(small("", "1.1.0"), latest=True))
    assert str(again.failure) == "1.1.0 was withdrawn: it opens the bucket. Raise the version."
    assert withdraw(server, "1.0.0").failure is None
    assert latest(server) == {"version": None}


def test_one_destination_that_fails_does_not_stop_the_other(server: Server) -> None:
    """`publish` does not write to another account's bucket."""
    make_bucket(server, "theirs")
    theirs = replace(TARGET, bucket="theirs")

    def store(target: Destination) -> Store:
        owner = OWNER if target == TARGET else "999999999999"
        return replace(store_of(server), destination=target, owner=owner)

    progress: list[Step] = []

    def told(destination: Destination, step: Step, result: str) -> None:
        progress.append(step)

    done = publish(planned(), [theirs, TARGET], store, optional, nobody, told)

    assert "AWS denies GetObject" in str(done[0].failure)
    assert there(server, "theirs") == {}
    assert (done[1].failure, len(versions(server))) == (None, 1)
    assert len(progress) == len(done[1].results)
