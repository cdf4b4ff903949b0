"""Apply options to a stack's list of load balancers, and find those that an update drops."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import OperatingError, UsageError
from dt_logs_cfn.operate.stacks.stack import LOAD_BALANCERS, Existing, listed
from dt_logs_handler.names import EVERY_LOAD_BALANCER, load_balancer_name

_CHANGE = ("--add-load-balancer", "--remove-load-balancer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options that set or change the list."""
    for option, what in (
        ("--load-balancer", f"a load balancer to onboard, or * for all; sets {LOAD_BALANCERS}"),
        ("--add-load-balancer", "a load balancer to add to the stack's list"),
        ("--remove-load-balancer", "a load balancer to remove from the stack's list"),
    ):
        parser.add_argument(
            option, action="append", default=[], metavar="ARN", help=f"{what}; repeatable"
        )


def changing(arguments: argparse.Namespace) -> list[str]:
    """Return the load balancers to add and to remove. Raises UsageError for invalid options."""
    given = (arguments.add_load_balancer, arguments.remove_load_balancer)
    add, remove = map(_named, given)
    if any(not each.strip(" ,") for option in given for each in option):
        raise UsageError(
            f"{' or '.join(_CHANGE)} names no load balancer.", "Give the ARN of one, or more."
        )
    if (add or remove) and arguments.load_balancer:
        raise UsageError(
            f"--load-balancer sets the list, and {' and '.join(_CHANGE)} change it.",
            "Use one or the other.",
        )
    if EVERY_LOAD_BALANCER in (*add, *remove):
        raise UsageError(
            "'*' is not the ARN of a load balancer.", "For all of them, use --load-balancer '*'."
        )
    if both := set(add) & set(remove):
        raise UsageError(f"{min(both)!r} is both added and removed.", "Do one of them.")
    return [*add, *remove]


def changed(before: Existing | None, add: Sequence[str], remove: Sequence[str]) -> str:
    """Return a stack's list with load balancers added and removed. Raises OperatingError."""
    named = before.stack.load_balancers if before else []
    add, remove = _named(add), _named(remove)
    if EVERY_LOAD_BALANCER in named:
        raise OperatingError(
            f"The stack's {LOAD_BALANCERS} is '*', which covers every load balancer.",
            "Set a list with --load-balancer instead.",
        )
    for arn in remove:
        if arn not in named:
            raise OperatingError(
                f"The stack does not have the load balancer {arn!r}.",
                f"It has {', '.join(named) or 'none yet'}.",
            )
    found = [arn for arn in dict.fromkeys((*named, *add)) if arn not in remove]
    if not found and before:
        raise OperatingError(
            "That leaves the stack without a load balancer.",
            f"To remove the whole stack, use `dt-logs-cfn remove --stack {before.stack.name}`.",
        )
    return ",".join(found)


@dataclass(frozen=True)
class Dropped:
    """The load balancers that an update drops; `unnamed` is true if they cannot be listed.

    `stops` holds those whose logging stops; it is None if that was not looked up.
    """

    arns: tuple[str, ...] = ()
    unnamed: bool = False
    stops: frozenset[str] | None = None

    def __bool__(self) -> bool:
        return bool(self.arns) or self.unnamed

    def lines(self) -> Iterator[str]:
        """Yield a warning that names the dropped load balancers, to be shown first."""
        if not self:
            return
        stops = ", and the access logging that the stack turned on stops"
        yield (
            "These load balancers leave the stack. Data Theorem no longer gets their logs"
            f"{stops if self.stops is None else ''}:"
        )
        for arn in self.arns:
            effect = "stops" if arn in (self.stops or ()) else "does not change"
            logging = "" if self.stops is None else f": its access logging {effect}"
            yield f"  {load_balancer_name(arn)}{logging}"
        if self.unnamed:
            yield "  every other load balancer in this region (you are not allowed to list them)"

    def data(self) -> list[dict[str, object]]:
        """Return the dropped load balancers as data for programs."""
        return [
            {
                "load_balancer": arn,
                "logging_stops": None if self.stops is None else arn in self.stops,
            }
            for arn in self.arns
        ]


def dropped(before: Existing | None, wanted: str, present: Callable[[], Iterable[str]]) -> Dropped:
    """Return the load balancers that `wanted` drops; `present` lists all if the stack has `*`."""
    named, kept = before.stack.load_balancers if before else [], listed(wanted)
    if EVERY_LOAD_BALANCER in kept:
        return Dropped()
    if EVERY_LOAD_BALANCER not in named:
        return Dropped(tuple(arn for arn in named if arn not in kept))
    try:
        return Dropped(tuple(arn for arn in present() if arn not in kept))
    except ClientError:
        return Dropped(unnamed=True)


def _named(option: Sequence[str]) -> list[str]:
    """Return the values of a repeatable option such as `--load-balancer`; each may be a list."""
    return listed(",".join(option))
