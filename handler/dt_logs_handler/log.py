"""The function's log: one JSON object a line, and nothing secret in any."""

import json

from .request import Endpoint
from .steps import Step

_SHOWN = ("load_balancer", "bucket", "location", "topic", "subscription", "endpoint")


def line(event: str, **fields: object) -> None:
    """Write one line; Lambda sends what is printed to the log group."""
    print(json.dumps({"event": event, **fields}, default=str), flush=True)


def step(taken: Step, outcome: str) -> None:
    """Write what a step was about and what came of it."""
    fields: dict[str, object] = {}
    for name in _SHOWN:
        value = getattr(taken, name, None)
        if value:
            fields[name] = value.shown if isinstance(value, Endpoint) else str(value)
    line(type(taken).__name__, outcome=outcome, **fields)


def bug() -> None:
    """Write the traceback of an error that nobody expected."""
    import traceback

    line("bug", traceback=traceback.format_exc())
