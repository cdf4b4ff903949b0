"""The list of published versions keeps its entries, and its pointer to the latest is right."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dt_logs_cfn import canonical
from dt_logs_cfn.errors import PublishError
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
