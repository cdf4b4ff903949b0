"""What a run makes, what it is called, and what it costs: known before the first call."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "stack", "load balancer", "topic", "bucket", "queue", "security group", "service role stack"
]
# What is removed first, since it uses what comes after it.
REMOVAL: tuple[Kind, ...] = (
    "stack",
    "load balancer",
    "topic",
    "bucket",
    "queue",
    "security group",
    "service role stack",
)
TAG = "dt-logs-check"
# US dollars an hour, list price of us-east-1 in 2026. Other regions cost up to twice as much.
# [aws.amazon.com/elasticloadbalancing/pricing: the hour and one LCU; aws.amazon.com/vpc/pricing:
# a public IPv4 address for each of two subnets]
_HOURLY = {"load balancer": 0.0225 + 0.008 + 2 * 0.005}
_HOURS = 2  # a run takes about 30 minutes; AWS bills each hour that has begun
_REST = 0.01  # requests to S3, SNS, SQS and Lambda, generously


@dataclass(frozen=True)
class Thing:
    """A resource by its exact name; with the account and region, that identifies it."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class Names:
    """What a run's resources are called; `run` is 6 hexadecimal digits. Raises ValueError."""

    run: str

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{6}", self.run):
            raise ValueError(f"{self.run!r} is not the id of a run")

    @property
    def base(self) -> str:
        """The name of what there is one of, and the beginning of the stacks' names."""
        return f"{TAG}-{self.run}"

    @property
    def role_stack(self) -> str:
        """The service role's stack: the role itself must not be able to change it."""
        return f"dt-check-role-{self.run}"

    def named(self, what: str) -> str:
        """Return the name of a stack, bucket or topic of the run."""
        return f"{self.base}-{what}"


def planned(names: Names) -> tuple[tuple[Thing, str], ...]:
    """Return what a run makes, in this order, and what for.

    What the stacks make under names of their own is recorded as soon as it is known.
    """
    return (
        (Thing("service role stack", names.role_stack), "the role that CloudFormation acts by"),
        (Thing("security group", names.base), "lets only this machine reach the load balancer"),
        (Thing("load balancer", names.base), "answers requests, and logs them"),
        (Thing("queue", names.base), "hears of new log objects"),
        (Thing("bucket", names.named("texts")), "is asked for what S3 refuses"),
        (Thing("topic", names.named("texts")), "is asked for what SNS refuses"),
        (Thing("stack", names.named("fresh")), "create, read a log, update, delete"),
        (Thing("bucket", names.named("foreign")), "has settings and logs already"),
        (Thing("stack", names.named("adopt")), "adopts that bucket, and leaves it as it was"),
    )


def told(names: Names, account: str, region: str, source: str, left: Sequence[str] = ()) -> str:
    """Return the plan and its costs as text."""
    hourly = sum(_HOURLY.values())
    rows = [f"  {t.kind:<18}  {t.name:<28}  {why}" for t, why in planned(names)]
    return "\n".join(
        (
            f"Run {names.run} in account {account}, {region}. It makes, and removes again:",
            *rows,
            "  The two stacks make roles, functions, log groups, a bucket and topics.",
            f"Everything carries the tag {TAG}={names.run}, and is recorded before it is made.",
            f"Only {source} can reach the load balancer. No other load balancer or bucket is"
            " changed.",
            f"It takes about 30 minutes and costs about ${_HOURS * hourly + _REST:.2f}"
            f" (load balancer and addresses: ${hourly:.3f} an hour, two hours billed; requests:"
            f" ${_REST:.2f}).",
            f"Left behind, it would cost about ${24 * (0.0225 + 0.01):.2f} a day. --sweep removes"
            " what a killed run left.",
            *left,
        )
    )
