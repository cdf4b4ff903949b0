"""Carry out plans at their destinations: independently, and all at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.errors import DtLogsError, PublishError
from dt_logs_cfn.publish.destination import Destination
from dt_logs_cfn.publish.plan import (
    Admit,
    Compare,
    CompareSignature,
    Enter,
    Plan,
    Point,
    Sign,
    Step,
    Upload,
    Withdraw,
)
from dt_logs_cfn.publish.store import Store
from dt_logs_cfn.release.catalogue import LATEST, LIMIT, VERSIONS, Catalogue, pointed, pointer
from dt_logs_cfn.verify.signature import LIMIT as SIGNATURE_LIMIT

_WORKERS = 8
_LOOKS = 5

Fetch = Callable[[str, int], "bytes | None"]
Progress = Callable[[Destination, Step, str], None]
Signer = Callable[[bytes, bytes], "str | None"]  # returns who signed these bytes, or None


@dataclass(frozen=True)
class DestinationAccess:
    """A destination, its bucket, and the public URL below which customers find it."""

    destination: Destination
    store: Store
    public_url: str


@dataclass(frozen=True)
class Done:
    """The result at a destination: that of each step, and why it stopped, if it did."""

    destination: Destination
    results: tuple[tuple[Step, str], ...]
    failure: DtLogsError | None = None


def publish(
    plans: Mapping[Destination, Plan],
    place: Callable[[Destination], DestinationAccess],
    fetch: Fetch,
    signer: Signer,
    progress: Progress,
) -> tuple[Done, ...]:
    """Carry out each plan at its destination; repeatable, also after an interruption.

    A failed destination does not stop the others; its result holds the failure.
    """
    stopped = Event()

    def carry_out(destination: Destination) -> Done:
        run = _Run(destination, place, fetch, signer, progress, stopped)
        return run.carry_out(plans[destination])

    pool = ThreadPoolExecutor(max(1, len(plans)))
    try:
        return tuple(pool.map(carry_out, plans))
    finally:  # after the last step or Ctrl-C: running calls may end, no new one begins
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)


class _Run:
    """Carries out the plan of one destination."""

    def __init__(
        self,
        destination: Destination,
        place: Callable[[Destination], DestinationAccess],
        fetch: Fetch,
        signer: Signer,
        progress: Progress,
        stopped: Event,
    ) -> None:
        self._destination = destination
        self._place = place
        self._fetch = fetch
        self._signer = signer
        self._progress = progress
        self._stopped = stopped
        self._results: list[tuple[Step, str]] = []

    def carry_out(self, plan: Plan) -> Done:
        try:
            with aws.errors():
                at = self._place(self._destination)
            for group in plan:
                with ThreadPoolExecutor(_WORKERS) as pool:
                    list(pool.map(lambda step: self._perform(step, at), group))
        except DtLogsError as error:
            return Done(self._destination, tuple(self._results), error)
        return Done(self._destination, tuple(self._results))

    def _perform(self, step: Step, at: DestinationAccess) -> None:
        if self._stopped.is_set():
            return
        with aws.errors():
            result = self._performed(step, at)
        self._progress(self._destination, step, result)
        self._results.append((step, result))

    def _performed(self, step: Step, at: DestinationAccess) -> str:
        match step:
            case Sign():
                return at.store.create(step, lambda found: self._signed(step.sums, found))
            case Upload():
                return at.store.create(step)
            case CompareSignature():
                return self._verified(step, at)
            case Admit():
                self._catalogue(at).entered(step.entry)
                return "it does"
            case Compare():
                return self._compared(step, at)
            case Enter():
                return self._changed(at, lambda found: found.entered(step.entry))
            case Withdraw():
                return self._changed(
                    at, lambda found: found.withdrawn(step.version, step.withdrawal)
                )
            case Point():
                return self._pointed(step, at)

    def _compared(self, step: Compare, at: DestinationAccess) -> str:
        if self._public(at, step.name, len(step.content)) != step.content:
            raise PublishError(
                f"{at.public_url}/{step.name} returns other bytes than were published.",
                "Check what answers there: another bucket or a cache.",
            )
        return "identical"

    def _signed(self, sums: bytes, signature: bytes) -> bool:
        return self._signer(sums, signature) is not None

    def _verified(self, step: CompareSignature, at: DestinationAccess) -> str:
        name = self._signer(step.sums, self._public(at, step.name, SIGNATURE_LIMIT))
        if name is None:
            raise PublishError(
                f"{at.public_url}/{step.name} is not a signature that customers can verify.",
                "Check what answers there: another bucket or a cache.",
            )
        return f"signed by {name}"

    def _changed(self, at: DestinationAccess, change: Callable[[Catalogue], Catalogue]) -> str:
        def changed(found: bytes | None) -> bytes:
            before = Catalogue.parse(found) if found is not None else Catalogue()
            after = change(before)
            if found is not None and after == before:
                return found
            return canonical.dumps(after.to_json()).encode()

        result, _ = at.store.change(self._destination.key(VERSIONS), changed)
        seen = Catalogue.parse(self._public(at, VERSIONS, LIMIT))
        if change(seen) != seen:
            raise PublishError(
                f"{at.public_url}/{VERSIONS} does not show what was written.",
                "Check what answers there: another bucket or a cache.",
            )
        return result

    def _pointed(self, step: Point, at: DestinationAccess) -> str:
        """Point to a version; try again if it was withdrawn meanwhile."""

        def changed(found: bytes | None) -> bytes | None:
            if found is None and step.version is None:
                return None
            current = pointed(found) if found is not None else None
            entry = self._catalogue(at).latest(current, step.version)
            return canonical.dumps(pointer(entry, self._destination.url)).encode()

        for _ in range(_LOOKS):
            result, content = at.store.change(self._destination.key(LATEST), changed)
            if content is None:
                return "there is none"
            version = pointed(content)
            entry = self._catalogue(at).find(version) if version else None
            if entry is None or not entry.withdrawn:
                self._public(at, LATEST, LIMIT)
                return f"{result}: {version or 'no version'}"
        raise PublishError(f"Others keep withdrawing what {LATEST} names.", "Publish it again.")

    def _catalogue(self, at: DestinationAccess) -> Catalogue:
        found = at.store.read(self._destination.key(VERSIONS))
        return Catalogue.parse(found) if found is not None else Catalogue()

    def _public(self, at: DestinationAccess, name: str, limit: int) -> bytes:
        url = f"{at.public_url}/{name}"
        found = self._fetch(url, limit)
        if found is None:
            raise PublishError(
                f"{url} cannot be read by everybody.",
                "Let the bucket's policy allow s3:GetObject below the prefix, and publish again.",
            )
        return found
