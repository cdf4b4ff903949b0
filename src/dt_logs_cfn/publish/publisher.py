"""Carry out the plans of all destinations independently and at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.errors import DtLogsError, PublishError
from dt_logs_cfn.publish.destination import Destination
from dt_logs_cfn.publish.plan import Compare, Enter, Plan, Point, Step, Upload, Withdraw
from dt_logs_cfn.publish.store import Store
from dt_logs_cfn.release.catalogue import LATEST, LIMIT, VERSIONS, Catalogue, pointed, pointer
from dt_logs_cfn.verify.signature import LIMIT as SIGNATURE_LIMIT

_WORKERS = 8
_LOOKS = 5
_OTHER = "Check what answers there: another bucket or a cache."

Fetch = Callable[[str, int], "bytes | None"]
Progress = Callable[[Destination, Step, str], None]
Signer = Callable[[bytes, bytes], "str | None"]  # returns the signer of these bytes, or None


@dataclass(frozen=True)
class Done:
    """The results at a destination: one for each finished step, and the failure, if any."""

    destination: Destination
    results: tuple[tuple[Step, str], ...]
    failure: DtLogsError | None = None


def publish(
    plans: Mapping[Destination, Plan],
    store: Callable[[Destination], Store],
    fetch: Fetch,
    signer: Signer,
    progress: Progress,
) -> tuple[Done, ...]:
    """Carry out each plan at its destination; repeatable, even after an interruption.

    A failed destination does not stop the others; its result holds the failure.
    """
    stopped = Event()

    def carry_out(destination: Destination) -> Done:
        results: list[tuple[Step, str]] = []
        try:
            with aws.errors():
                run = _Run(destination, store(destination), fetch, signer, progress, stopped)
            for group in plans[destination]:
                run.carry_out(group, results)
        except DtLogsError as error:
            return Done(destination, tuple(results), error)
        return Done(destination, tuple(results))

    pool = ThreadPoolExecutor(max(1, len(plans)))
    try:
        return tuple(pool.map(carry_out, plans))
    finally:  # after the last step or Ctrl-C: running calls may finish, and no new call begins
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class _Run:
    """Carries out steps at one destination."""

    destination: Destination
    store: Store
    fetch: Fetch
    signer: Signer
    progress: Progress
    stopped: Event

    def carry_out(self, group: Sequence[Step], results: list[tuple[Step, str]]) -> None:
        """Carry out the steps of a group at the same time, and add their results."""

        def perform(step: Step) -> None:
            if self.stopped.is_set():
                return
            with aws.errors():
                result = self._result(step)
            self.progress(self.destination, step, result)
            results.append((step, result))

        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(perform, group))

    def _result(self, step: Step) -> str:
        match step:
            case Upload():
                return self.store.create(step, lambda found: bool(self._signed(step.signs, found)))
            case Compare():
                return self._compared(step)
            case Enter(only_check=True):
                self._catalogue().entered(step.entry)
                return "it does"
            case Enter():
                return self._changed(lambda found: found.entered(step.entry))
            case Withdraw():
                return self._changed(lambda found: found.withdrawn(step.version, step.withdrawal))
            case Point():
                return self._pointed(step)

    def _compared(self, step: Compare) -> str:
        limit = len(step.content) if step.signs is None else SIGNATURE_LIMIT
        found = self._public(step.name, limit)
        if name := self._signed(step.signs, found):
            return f"signed by {name}"
        if step.signs is None and found == step.content:
            return "identical"
        raise PublishError(
            f"{self.store.public_url}/{step.name} does not return what was published.", _OTHER
        )

    def _signed(self, content: bytes | None, signature: bytes) -> str | None:
        """Return the signer of some content, or None without content or a valid signature."""
        return self.signer(content, signature) if content is not None else None

    def _changed(self, change: Callable[[Catalogue], Catalogue]) -> str:
        def changed(found: bytes | None) -> bytes:
            before = Catalogue.parse(found) if found is not None else Catalogue()
            after = change(before)
            if found is not None and after == before:
                return found
            return canonical.dumps(after.to_json()).encode()

        result, _ = self.store.change(self.destination.key(VERSIONS), changed)
        seen = Catalogue.parse(self._public(VERSIONS, LIMIT))
        if change(seen) != seen:
            raise PublishError(
                f"{self.store.public_url}/{VERSIONS} does not show what was written.", _OTHER
            )
        return result

    def _pointed(self, step: Point) -> str:
        """Point `latest.json` to a version; try again if the version is withdrawn meanwhile."""

        def changed(found: bytes | None) -> bytes | None:
            if found is None and step.version is None:
                return None
            current = pointed(found) if found is not None else None
            entry = self._catalogue().latest(current, step.version)
            return canonical.dumps(pointer(entry, self.destination.url)).encode()

        for _ in range(_LOOKS):
            result, content = self.store.change(self.destination.key(LATEST), changed)
            if content is None:
                return "there is none"
            version = pointed(content)
            entry = self._catalogue().find(version) if version else None
            if entry is None or not entry.withdrawn:
                self._public(LATEST, LIMIT)
                return f"{result}: {version or 'no version'}"
        raise PublishError(f"Others keep withdrawing what {LATEST} names.", "Publish it again.")

    def _catalogue(self) -> Catalogue:
        found = self.store.read(self.destination.key(VERSIONS))
        return Catalogue.parse(found) if found is not None else Catalogue()

    def _public(self, name: str, limit: int) -> bytes:
        url = f"{self.store.public_url}/{name}"
        found = self.fetch(url, limit)
        if found is None:
            raise PublishError(
                f"{url} cannot be read by everybody.",
                "Let the bucket's policy allow s3:GetObject below the prefix, and publish again.",
            )
        return found
