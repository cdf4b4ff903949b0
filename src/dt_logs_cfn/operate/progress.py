"""Telling now and then how far a long look at an account has come."""

from collections.abc import Callable, Iterable
from itertools import count

from botocore.client import BaseClient

EVERY = 5.0  # seconds between two lines


def watch(
    clients: Iterable[BaseClient], clock: Callable[[], float], tell: Callable[[str], None]
) -> None:
    """Have it told every few seconds how many answers these clients have got, from any thread."""
    numbers, last = count(1), clock()

    def beat(**given: object) -> None:
        nonlocal last
        number, now = next(numbers), clock()
        if now - last >= EVERY:
            last = now
            tell(f"{number:,} answers of AWS's read so far")

    for each in clients:
        each.meta.events.register("after-call", beat)
