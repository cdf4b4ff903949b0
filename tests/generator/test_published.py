"""The list of published versions, and the bucket that a base URL names."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dt_logs_cfn import Settings, Vendor, canonical
from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.publish.destination import chosen, destination
from dt_logs_cfn.release.catalogue import Catalogue, Entry, Withdrawn, numbers, pointed, pointer

NOW = "2027-01-31T12:00:00Z"
VERSIONS = ("0.9.0", "1.0.0", "1.2.0", "1.10.0")
WITHDRAWN = Withdrawn(NOW, "it opens doors")


def entry(version: str, digest: str = "a" * 64) -> Entry:
    return Entry(version, digest, "f00d", NOW)


def catalogue(*versions: str) -> Catalogue:
    return Catalogue(tuple(map(entry, versions)))


GOOD = {"version": "1.0.0", "sha256sums": "a" * 64, "revision": "f", "published": NOW}


def content(**more: object) -> bytes:
    """Return a JSON list of one version, with these fields changed or added."""
    return json.dumps({"versions": [GOOD | more]}).encode()


@given(st.permutations(VERSIONS), st.sets(st.sampled_from(VERSIONS)))
def test_the_order_of_publishing_does_not_matter(versions: list[str], withdrawn: set[str]) -> None:
    found = Catalogue()
    for version in versions:
        found = found.entered(entry(version))
    for version in withdrawn:
        found = found.withdrawn(version, WITHDRAWN)

    assert [each.version for each in found.entries] == ["1.10.0", "1.2.0", "1.0.0", "0.9.0"]
    assert {each.version for each in found.entries if each.withdrawn} == withdrawn
    assert Catalogue.parse(canonical.dumps(found.to_json()).encode()) == found


@given(
    st.sets(st.sampled_from(VERSIONS)),
    st.sampled_from([None, *VERSIONS]),
    st.sampled_from([None, *VERSIONS]),
)
def test_the_pointer_never_goes_back_nor_to_what_was_withdrawn(
    withdrawn: set[str], current: str | None, candidate: str | None
) -> None:
    found = catalogue(*VERSIONS)
    for version in withdrawn:
        found = found.withdrawn(version, WITHDRAWN)

    latest = found.latest(current, candidate)

    good = set(VERSIONS) - withdrawn
    before = {each for each in good if current and numbers(each) < numbers(current)}
    possible = ({current, candidate} & good) | (before if current in withdrawn else set())
    assert (latest.version if latest else None) == max(possible, key=numbers, default=None)


def test_neither_an_entry_nor_a_withdrawal_changes() -> None:
    found = catalogue("1.0.0")
    withdrawn = found.withdrawn("1.0.0", WITHDRAWN)

    assert found.entered(Entry("1.0.0", "a" * 64, "beef", "2028-01-01T00:00:00Z")) is found
    with pytest.raises(PublishError, match="with other contents"):
        found.entered(entry("1.0.0", "b" * 64))
    with pytest.raises(PublishError, match=r"1\.0\.0 was withdrawn: it opens doors"):
        withdrawn.entered(entry("1.0.0"))
    assert withdrawn.withdrawn("1.0.0", Withdrawn(NOW, "another reason")) is withdrawn
    with pytest.raises(ValueError, match="twice"):
        catalogue("1.0.0", "1.0.0")


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.0"},
        {"version": "01.0.0"},
        {"version": "1.0.0\n"},
        {"sha256sums": "A" * 64},
        {"published": "yesterday"},
        {"revision": "a\nb"},
        {"revision": "a" * 501},
        {"withdrawn": {"at": NOW, "reason": ""}},
        {"withdrawn": {"at": NOW, "reason": "\x1b[2J"}},
        {"withdrawn": {"reason": "x"}},
        {"withdrawn": {}},
        {"withdrawn": ""},
        {"withdrawn": None},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_no_entry(change: dict[str, object]) -> None:
    with pytest.raises(PublishError, match="is damaged"):
        Catalogue.parse(content(**change))


def test_who_only_reads_passes_over_what_a_later_version_adds() -> None:
    assert Catalogue.parse(content()).find("1.0.0")
    assert Catalogue.parse(content(more=1)[:-1] + b', "also": 2}', lenient=True).find("1.0.0")


@example(b"[]")
@given(st.binary(max_size=60) | st.just(b"[" * 100_000) | st.just(b'{"versions": null}'))
def test_any_bytes_are_ours_or_refused(found: bytes) -> None:
    for read in (Catalogue.parse, pointed):
        try:
            read(found)
        except PublishError:
            continue


def test_what_latest_says() -> None:
    assert pointer(entry("1.0.0"), "https://b/x") == {
        "version": "1.0.0",
        "sha256sums": "a" * 64,
        "url": "https://b/x/1.0.0/",
    }
    assert pointed(b'{"version":null}') is None
    with pytest.raises(PublishError, match="is damaged"):
        pointed(b'{"version":"1.0"}')
    assert pointed(b'{"version":"1.0.0"}') == "1.0.0"


GOV, EU = "us-gov-west-1", "eusc-de-east-1"


@pytest.mark.parametrize(
    ("partition", "url", "bucket", "prefix", "region"),
    [
        ("aws", "https://b1.s3.eu-west-1.amazonaws.com/a/b", "b1", "a/b", "eu-west-1"),
        ("aws", "https://b1.s3.amazonaws.com", "b1", "", "us-east-1"),
        ("aws", "https://b1.s3-eu-west-1.amazonaws.com/a", "b1", "a", "eu-west-1"),
        ("aws", "https://b1.s3.dualstack.eu-west-1.amazonaws.com/a", "b1", "a", "eu-west-1"),
        ("aws", "https://my.dotted.s3.eu-west-1.amazonaws.com/a", "my.dotted", "a", "eu-west-1"),
        ("aws", "https://s3.eu-west-1.amazonaws.com/b1/a", "b1", "a", "eu-west-1"),
        ("aws", "https://s3.amazonaws.com/b1", "b1", "", "us-east-1"),
        ("aws", "https://s3.s3.eu-west-1.amazonaws.com/a", "s3", "a", "eu-west-1"),
        ("aws-us-gov", f"https://b1.s3.{GOV}.amazonaws.com/a", "b1", "a", GOV),
        ("aws-cn", "https://b1.s3.cn-north-1.amazonaws.com.cn/a", "b1", "a", "cn-north-1"),
        ("aws-eusc", f"https://b1.s3.{EU}.amazonaws.eu/a", "b1", "a", EU),
        ("aws-eusc", f"https://s3.dualstack.{EU}.amazonaws.eu/b1", "b1", "", EU),
    ],
)
def test_every_form_of_an_s3_url(
    partition: str, url: str, bucket: str, prefix: str, region: str
) -> None:
    found = destination(Vendor(partition, base_url=url))

    assert (found.bucket, found.prefix, found.region, found.url) == (bucket, prefix, region, url)
    assert found.key("x") == (f"{prefix}/x" if prefix else "x")


@pytest.mark.parametrize(
    ("partition", "url"),
    [
        ("aws", "https://downloads.example.com/a"),
        ("aws", "https://b1.s3.amazonaws.com.evil.example"),
        ("aws", "https://b1.s3-website-us-east-1.amazonaws.com/a"),
        ("aws", "https://s3.eu-west-1.amazonaws.com"),
        ("aws", "https://b1.s3.us-gov-west-1.amazonaws.com/a"),
        ("aws", "https://b1.s3.cn-north-1.amazonaws.com.cn/a"),
        ("aws-us-gov", "https://b1.s3.us-east-1.amazonaws.com/a"),
        ("aws-cn", "https://b1.s3.cn-north-1.amazonaws.com/a"),
        ("aws", "https://b1.s3.eusc-de-east-1.amazonaws.eu/a"),
        ("aws", "https://b1.s3.us-east-1.amazonaws.eu/a"),
        ("aws", "https://b1.s3.amazonaws.eu/a"),
        ("aws-eusc", "https://b1.s3.amazonaws.eu/a"),
        ("aws-eusc", "https://b1.s3.eusc-de-east-1.amazonaws.com/a"),
        ("aws-eusc", "https://b1.s3.eusc-de-east-1.amazonaws.eu.evil.example/a"),
    ],
)
def test_what_is_no_place_of_the_partition(partition: str, url: str) -> None:
    with pytest.raises(PublishError, match=f"base_url of partition {partition}"):
        destination(Vendor(partition, base_url=url))


def test_the_bucket_is_one_that_is_named() -> None:
    vendor = Vendor("aws", base_url="https://b1.s3.eu-west-1.amazonaws.com/a")
    settings = Settings((vendor, Vendor("aws-us-gov", "111122223333")))

    assert chosen(settings, "b1", None, None) == destination(vendor)
    assert chosen(settings, "b1", "/a/", "eu-west-1") == destination(vendor)
    for bucket, prefix, region in (("b2", None, None), ("b1", "b", None), ("b1", None, "x")):
        with pytest.raises(PublishError):
            chosen(settings, bucket, prefix, region)
    with pytest.raises(PublishError, match="they name none"):
        chosen(Settings(), "b1", None, None)
