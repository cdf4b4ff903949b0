"""Report a publication: its steps in advance, each one's result, and a summary."""

from collections.abc import Mapping
from threading import Lock

from dt_logs_cfn.cli import terminal
from dt_logs_cfn.publish.destination import Destination
from dt_logs_cfn.publish.plan import Plan, Step, told
from dt_logs_cfn.publish.publisher import Done


class Progress:
    """Counts the finished steps of each destination on stderr."""

    def __init__(self, plans: Mapping[Destination, Plan]) -> None:
        self._left = {each: sum(map(len, plan)) for each, plan in plans.items()}
        self._all = dict(self._left)
        self._lock = Lock()

    def __call__(self, destination: Destination, step: Step, result: str) -> None:
        with self._lock:
            self._left[destination] -= 1
            total = self._all[destination]
            count = total - self._left[destination]
            at = f"{count:>{len(str(total))}}/{total}"
            terminal.tell(f"{destination.bucket} {at} {told(step, destination)}: {result}")


def print_plans(plans: Mapping[Destination, Plan], as_json: bool) -> None:
    """Print the planned steps of each destination, in order."""
    listed = {
        each: [told(step, each) for group in plan for step in group] for each, plan in plans.items()
    }
    data = [
        {"bucket": each.bucket, "region": each.region, "url": each.url, "steps": steps}
        for each, steps in listed.items()
    ]
    lines = [
        line
        for each, steps in listed.items()
        for line in (f"{each.bucket} in {each.region}:", *(f"  {step}" for step in steps))
    ]
    terminal.result(as_json, {"destinations": data}, lines)


def summary(done: Done) -> str:
    """Return the result at a destination, as one line."""
    results = [result for _, result in done.results]
    created = sum(result.startswith(("created", "changed")) for result in results)
    said = "stopped" if done.failure else "done"
    return (
        f"{done.destination.url}: {said}; {len(results)} steps, {created} of them changed something"
    )


def data(done: Done) -> dict[str, object]:
    """Return the result and each step, for a program."""
    return {
        "bucket": done.destination.bucket,
        "region": done.destination.region,
        "url": done.destination.url,
        "steps": [
            {"step": told(step, done.destination), "result": result}
            for step, result in done.results
        ],
        "failure": str(done.failure) if done.failure else None,
    }
