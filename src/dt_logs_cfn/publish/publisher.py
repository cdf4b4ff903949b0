"""Plan the steps of a publication or withdrawal, and carry them out at all destinations at once.

The groups of steps run one after the other; the steps of a group run in parallel. `--dry-run`
prints the steps instead. The first upload, SHA256SUMS, claims the version. It covers every other
file of the release, so if several publishers have different files, only one of them continues.
`versions.json` and `latest.json` do not name a version until every file has been uploaded, and then
fetched as a customer would fetch it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event, Lock

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.cli import terminal
from dt_logs_cfn.errors import DtLogsError, PublishError
from dt_logs_cfn.publish.destination import Destination
from dt_logs_cfn.publish.store import Signer, Store, Upload, content_type
from dt_logs_cfn.release.build import CHECKSUMS, Release
from dt_logs_cfn.release.catalogue import (
    LATEST,
    LIMIT,
    VERSIONS,
    Catalogue,
    Entry,
    Withdrawn,
    pointed,
    pointer,
)
from dt_logs_cfn.verify.provenance import SIGNATURE, SIGNATURE_LIMIT

_WORKERS = 8
_LOOKS = 5
_OTHER = "Check whether another bucket or a cache answers."

Fetch = Callable[[str, int], "bytes | None"]
Progress = Callable[[Destination, str, str], None]  # (destination, step, result)


@dataclass(frozen=True)
class Step:
    """A step: `told` describes it in one line, and `run` carries it out and returns the result."""

    told: Callable[[Destination], str]
    run: Callable[[Site], str]


Plan = tuple[tuple[Step, ...], ...]


def publication_plan(
    release: Release,
    signature: bytes | None,
    revision: str,
    at: datetime,
    latest: bool = False,
    retain_until: datetime | None = None,
) -> Plan:
    """Return the steps that publish a release, in order; `at` is the publication time (UTC).

    The steps are the same at every destination.
    """
    version = release.version
    entry = Entry(version, release.sha256, revision, _timestamp(at))
    sums = release.files[CHECKSUMS]
    contents = {CHECKSUMS: sums, **release.files}  # the checksums come first
    if signature is not None:
        contents[SIGNATURE] = signature
    uploads = [
        Upload(f"{version}/{name}", each, retain_until, sums if name == SIGNATURE else None)
        for name, each in contents.items()
    ]
    claim, *others = map(_put, uploads)
    accepts = Step(
        lambda _: f"check whether {VERSIONS} accepts {version}", lambda site: site.accepts(entry)
    )
    enter = Step(
        lambda _: f"enter {version} into {VERSIONS}",
        lambda site: site.change(lambda found: found.entered(entry)),
    )
    steps = ((accepts,), (claim,), tuple(others), tuple(map(_compare, uploads)), (enter,))
    return (*steps, (_point(version, version),)) if latest else steps


def withdrawal_plan(version: str, reason: str, at: datetime) -> Plan:
    """Return the steps that withdraw a version. Raises ValueError for an invalid reason."""
    withdrawal = Withdrawn(_timestamp(at), reason)
    withdraw = Step(
        lambda _: f"mark {version} in {VERSIONS} as withdrawn: {reason}",
        lambda site: site.change(lambda found: found.withdrawn(version, withdrawal)),
    )
    earlier = "an earlier version, if it points to the withdrawn one"
    return ((withdraw,), (_point(None, earlier),))


def _put(upload: Upload) -> Step:
    lock = f", locked until {upload.retain_until:%Y-%m-%d}" if upload.retain_until else ""
    what = f"{len(upload.content):,} bytes, {content_type(upload.name)}{lock}"
    return Step(
        lambda to: f"put s3://{to.bucket}/{to.key(upload.name)} if it does not exist ({what})",
        lambda site: site.store.create(upload, site.signer),
    )


def _compare(upload: Upload) -> Step:
    """Return a step that fetches an upload by its public URL, and compares or verifies it."""
    how = "verify" if upload.signs else "compare"
    return Step(lambda at: f"get {at.url}/{upload.name} and {how}", lambda site: site.same(upload))


def _point(version: str | None, to: str) -> Step:
    """Return a step that points `latest.json` to a version.

    If the version is None, the step only replaces a withdrawn version with an earlier one.
    """
    return Step(lambda _: f"point {LATEST} to {to}", lambda site: site.point(version))


def _timestamp(at: datetime) -> str:
    """Return a time (UTC) in the catalogue's format."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Done:
    """The result at a destination: each finished step with its result, and any failure."""

    destination: Destination
    results: tuple[tuple[str, str], ...]
    failure: DtLogsError | None = None


def publish(
    plan: Plan,
    destinations: Sequence[Destination],
    store: Callable[[Destination], Store],
    fetch: Fetch,
    signer: Signer,
    progress: Progress,
) -> tuple[Done, ...]:
    """Carry out the plan at each destination; repeatable, even after an interruption.

    A failed destination does not stop the others; its result holds the failure.
    """
    stopped = Event()

    def carry_out(destination: Destination) -> Done:
        results: list[tuple[str, str]] = []

        def perform(site: Site, step: Step) -> None:
            if stopped.is_set():
                return
            with aws.errors():
                done = step.told(destination), step.run(site)
            progress(destination, *done)
            results.append(done)

        try:
            with aws.errors():
                site = Site(store(destination), fetch, signer)
            for group in plan:
                with ThreadPoolExecutor(_WORKERS) as pool:
                    list(pool.map(partial(perform, site), group))
        except DtLogsError as error:
            return Done(destination, tuple(results), error)
        return Done(destination, tuple(results))

    pool = ThreadPoolExecutor(len(destinations))
    try:
        return tuple(pool.map(carry_out, destinations))
    finally:  # after the last step or Ctrl-C: running calls may finish, but no new call begins
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)


class Counted:
    """Counts the finished steps of each destination, and shows them on stderr."""

    def __init__(self, plan: Plan) -> None:
        self._total = sum(map(len, plan))
        self._done = Counter[Destination]()
        self._lock = Lock()

    def __call__(self, destination: Destination, step: str, result: str) -> None:
        with self._lock:
            self._done[destination] += 1
            at = f"{self._done[destination]:>{len(str(self._total))}}/{self._total}"
            terminal.tell(f"{destination.bucket} {at} {step}: {result}")


@dataclass(frozen=True)
class Site:
    """A destination's bucket; `fetch` reads it as customers do, and `signer` checks signatures."""

    store: Store
    fetch: Fetch
    signer: Signer

    def accepts(self, entry: Entry) -> str:
        """Check that `versions.json` would accept an entry."""
        self._catalogue().entered(entry)
        return "it does"

    def same(self, upload: Upload) -> str:
        """Check that the public URL returns the uploaded file.

        For a signature, the URL may also return another valid signature.
        """
        limit = len(upload.content) if upload.signs is None else SIGNATURE_LIMIT
        found = self._public(upload.name, limit)
        if upload.signs is None and found == upload.content:
            return "identical"
        if upload.signs is not None and (name := self.signer(upload.signs, found)):
            return f"signed by {name}"
        raise PublishError(
            f"{self.store.public_url}/{upload.name} does not return what was published.", _OTHER
        )

    def change(self, change: Callable[[Catalogue], Catalogue]) -> str:
        """Change `versions.json`, and check that its public URL shows the change."""

        def changed(found: bytes | None) -> bytes:
            before = _parsed(found)
            after = change(before)
            if found is not None and after == before:
                return found
            return canonical.dumps(after.to_json()).encode()

        result, _ = self.store.change(VERSIONS, changed)
        seen = Catalogue.parse(self._public(VERSIONS, LIMIT))
        if change(seen) != seen:
            raise PublishError(
                f"{self.store.public_url}/{VERSIONS} does not show what was written.", _OTHER
            )
        return result

    def point(self, version: str | None) -> str:
        """Point `latest.json` to a version, unless it names a newer one, and check its public URL.

        If the version is withdrawn meanwhile, try again. If `version` is None, only replace a
        withdrawn version with an earlier one.
        """

        def changed(found: bytes | None) -> bytes | None:
            if found is None and version is None:
                return None
            current = pointed(found) if found is not None else None
            entry = self._catalogue().latest(current, version)
            return canonical.dumps(pointer(entry, self.store.destination.url)).encode()

        for _ in range(_LOOKS):
            result, content = self.store.change(LATEST, changed)
            if content is None:
                return "there is none"
            now = pointed(content)
            entry = self._catalogue().find(now) if now else None
            if entry is None or not entry.withdrawn:
                self._public(LATEST, LIMIT)
                return f"{result}: {now or 'no version'}"
        raise PublishError(
            f"Others keep withdrawing the version that {LATEST} names.", "Publish it again."
        )

    def _catalogue(self) -> Catalogue:
        return _parsed(self.store.read(VERSIONS))

    def _public(self, name: str, limit: int) -> bytes:
        url = f"{self.store.public_url}/{name}"
        found = self.fetch(url, limit)
        if found is None:
            raise PublishError(
                f"{url} cannot be read by everybody.",
                "Let the bucket's policy allow s3:GetObject below the prefix, and publish again.",
            )
        return found


def _parsed(found: bytes | None) -> Catalogue:
    return Catalogue.parse(found) if found is not None else Catalogue()
