"""Print the plans of a publication, its progress and its result."""

from collections import Counter
from collections.abc import Mapping
from threading import Lock

from dt_logs_cfn.cli import terminal
from dt_logs_cfn.publish.destination import Destination
from dt_logs_cfn.publish.plan import Plan, Step, told
from dt_logs_cfn.publish.publisher import Done


class Progress:
    """Shows and counts the finished steps of each destination on stderr."""

    def __init__(self, plans: Mapping[Destination, Plan]) -> None:
        self._totals = {each: sum(map(len, plan)) for each, plan in plans.items()}
        self._done = Counter[Destination]()
        self._lock = Lock()

    def __call__(self, destination: Destination, step: Step, result: str) -> None:
        with self._lock:
            self._done[destination] += 1
            total = self._totals[destination]
            at = f"{self._done[destination]:>{len(str(total))}}/{total}"
            terminal.tell(f"{destination.bucket} {at} {told(step, destination)}: {result}")


def print_plans(plans: Mapping[Destination, Plan], as_json: bool) -> None:
    """Print the planned steps of each destination, in order."""
    steps = {
        each: [told(step, each) for group in plan for step in group] for each, plan in plans.items()
    }
    lines = (
        line
        for each, planned in steps.items()
        for line in (f"{each.bucket} in {each.region}:", *(f"  {step}" for step in planned))
    )
    found = [{**_place(each), "steps": planned} for each, planned in steps.items()]
    terminal.result(as_json, {"destinations": found}, lines)


def summary(done: Done) -> str:
    """Return the result at a destination as one line."""
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


def _place(destination: Destination) -> dict[str, str]:
    return {"bucket": destination.bucket, "region": destination.region, "url": destination.url}
