"""Carry out a plan at all destinations, independently and at the same time; print the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Lock

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.cli import terminal
from dt_logs_cfn.errors import DtLogsError, PublishError
from dt_logs_cfn.publish.plan import (
    Compare,
    Destination,
    Enter,
    Plan,
    Point,
    Step,
    Upload,
    Withdraw,
    told,
)
from dt_logs_cfn.publish.store import Signer, Store
from dt_logs_cfn.release.catalogue import LATEST, LIMIT, VERSIONS, Catalogue, pointed, pointer
from dt_logs_cfn.verify.provenance import SIGNATURE_LIMIT

_WORKERS = 8
_LOOKS = 5
_OTHER = "Check whether another bucket or a cache answers."

Fetch = Callable[[str, int], "bytes | None"]
Progress = Callable[[Destination, Step, str], None]


@dataclass(frozen=True)
class Done:
    """The results at a destination: one for each finished step, and the failure, if any."""

    destination: Destination
    results: tuple[tuple[Step, str], ...]
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
        results: list[tuple[Step, str]] = []
        try:
            with aws.errors():
                run = _Run(store(destination), fetch, signer, progress, stopped)
            for group in plan:
                run.carry_out(group, results)
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

    def __call__(self, destination: Destination, step: Step, result: str) -> None:
        with self._lock:
            self._done[destination] += 1
            at = f"{self._done[destination]:>{len(str(self._total))}}/{self._total}"
            terminal.tell(f"{destination.bucket} {at} {told(step, destination)}: {result}")


def print_plan(plan: Plan, destinations: Sequence[Destination], as_json: bool) -> None:
    """Print the planned steps for each destination, in order."""
    lines: list[str] = []
    found = []
    for each in destinations:
        steps = [told(step, each) for group in plan for step in group]
        lines += [f"{each.bucket} in {each.region}:", *(f"  {step}" for step in steps)]
        found.append({**_place(each), "steps": steps})
    terminal.result(as_json, {"destinations": found}, lines)


def summary(done: Done) -> str:
    """Return a destination's result as one line."""
    results = [result for _, result in done.results]
    created = sum(result.startswith(("created", "changed")) for result in results)
    said = "stopped" if done.failure else "done"
    return (
        f"{done.destination.url}: {said}; {len(results)} steps, {created} of them changed something"
    )


def data(done: Done) -> dict[str, object]:
    """Return the result and each step as data for a program."""
    return {
        **_place(done.destination),
        "steps": [
            {"step": told(step, done.destination), "result": result}
            for step, result in done.results
        ],
        "failure": str(done.failure) if done.failure else None,
    }


@dataclass(frozen=True)
class _Run:
    """Carries out steps at one destination."""

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
            self.progress(self.store.destination, step, result)
            results.append((step, result))

        with ThreadPoolExecutor(_WORKERS) as pool:
            list(pool.map(perform, group))

    def _result(self, step: Step) -> str:
        match step:
            case Upload():
                return self.store.create(step, self.signer)
            case Compare():
                return self._compared(step.upload)
            case Enter(only_check=True):
                self._catalogue().entered(step.entry)
                return "it does"
            case Enter():
                return self._changed(lambda found: found.entered(step.entry))
            case Withdraw():
                return self._changed(lambda found: found.withdrawn(step.version, step.withdrawal))
            case Point():
                return self._pointed(step)

    def _compared(self, upload: Upload) -> str:
        limit = len(upload.content) if upload.signs is None else SIGNATURE_LIMIT
        found = self._public(upload.name, limit)
        if upload.signs is None and found == upload.content:
            return "identical"
        if upload.signs is not None and (name := self.signer(upload.signs, found)):
            return f"signed by {name}"
        raise PublishError(
            f"{self.store.public_url}/{upload.name} does not return what was published.", _OTHER
        )

    def _changed(self, change: Callable[[Catalogue], Catalogue]) -> str:
        def changed(found: bytes | None) -> bytes:
            before = Catalogue.parse(found) if found is not None else Catalogue()
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

    def _pointed(self, step: Point) -> str:
        """Point `latest.json` to a version; try again if the version is withdrawn meanwhile."""

        def changed(found: bytes | None) -> bytes | None:
            if found is None and step.version is None:
                return None
            current = pointed(found) if found is not None else None
            entry = self._catalogue().latest(current, step.version)
            return canonical.dumps(pointer(entry, self.store.destination.url)).encode()

        for _ in range(_LOOKS):
            result, content = self.store.change(LATEST, changed)
            if content is None:
                return "there is none"
            version = pointed(content)
            entry = self._catalogue().find(version) if version else None
            if entry is None or not entry.withdrawn:
                self._public(LATEST, LIMIT)
                return f"{result}: {version or 'no version'}"
        raise PublishError(
            f"Others keep withdrawing the version that {LATEST} names.", "Publish it again."
        )

    def _catalogue(self) -> Catalogue:
        found = self.store.read(VERSIONS)
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


def _place(destination: Destination) -> dict[str, str]:
    return {"bucket": destination.bucket, "region": destination.region, "url": destination.url}
