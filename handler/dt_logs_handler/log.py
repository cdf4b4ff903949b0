"""The function's log: one JSON object a line, and nothing secret in any."""

import json
from collections.abc import Callable

from .request import Endpoint
from .steps import Step

_SHOWN = ("load_balancer", "bucket", "location", "topic", "subscription", "endpoint")


def line(event: str, **fields: object) -> None:
    """Write one line; Lambda sends what is printed to the log group."""
    text = json.dumps({"event": event, **fields}, default=str)
    print(f"{text}\n", end="", flush=True)  # at once: several threads write


def step(taken: Step, outcome: str) -> None:
    """Write what a step was about and what came of it."""
    fields: dict[str, object] = {}
    for name in _SHOWN:
        value = getattr(taken, name, None)
        if value:
            fields[name] = value.shown if isinstance(value, Endpoint) else str(value)
    line(type(taken).__name__, outcome=outcome, **fields)


def bug(hide: Callable[[str], str]) -> None:
    """Write the traceback of an error that nobody expected, without secrets."""
    import traceback

    line("bug", traceback=hide(traceback.format_exc()))
