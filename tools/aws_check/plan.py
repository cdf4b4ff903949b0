"""The resources that a run creates, their names and costs; planning does not call AWS."""

import re
from dataclasses import dataclass

TAG = "dt-logs-check"
# In the order of removal, because a resource may use resources of the kinds that follow it.
KINDS = (
    *("stack", "load balancer", "topic", "bucket", "queue", "security group"),
    "service role stack",
)
# US dollars, list prices of us-east-1 in 2026; other regions cost up to twice as much.
# [aws.amazon.com/elasticloadbalancing/pricing, aws.amazon.com/vpc/pricing: a load balancer's hour,
# one capacity unit, and a public IPv4 address in each of two subnets]
_HOUR, _UNIT, _ADDRESSES = 0.0225, 0.008, 2 * 0.005
_REQUESTS = 0.01  # S3, SNS, SQS and Lambda together, a generous estimate
_RUN = 2 * (_HOUR + _UNIT + _ADDRESSES) + _REQUESTS  # a run can span two billed hours
_DAY = 24 * (_HOUR + _ADDRESSES)


@dataclass(frozen=True)
class Thing:
    """A resource's kind and exact name. Raises ValueError for an unknown kind."""

    kind: str
    name: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is not a kind of resource")


@dataclass(frozen=True)
class Names:
    """The names of a run's resources; `run` must be 6 hexadecimal digits. Raises ValueError."""

    run: str

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{6}", self.run):
            raise ValueError(f"{self.run!r} is not the id of a run")

    @property
    def base(self) -> str:
        """The name of resources that exist once in a run; the scenes' stack names begin with it."""
        return f"{TAG}-{self.run}"

    @property
    def role_stack(self) -> str:
        """The name of the service role's stack, which the role itself may not change."""
        return f"dt-check-role-{self.run}"

    def named(self, what: str) -> str:
        """Return the name of a stack, bucket or topic of the run."""
        return f"{self.base}-{what}"


def planned(names: Names) -> dict[Thing, str]:
    """Return the resources that a run may create, in this order, each with its purpose.

    The plan lacks the bucket and topics that the stacks create. The run records them once it knows
    their names.
    """
    return {
        Thing("service role stack", names.role_stack): "the role that CloudFormation uses",
        Thing("security group", names.base): "admits requests to the load balancer",
        Thing("load balancer", names.base): "answers requests, and logs them",
        Thing("queue", names.base): "receives announcements of logs",
        Thing("bucket", names.named("texts")): "for requests that S3 refuses",
        Thing("topic", names.named("texts")): "for requests that SNS refuses",
        Thing("bucket", names.named("missing")): "not created: AWS must refuse it",
        Thing("stack", names.named("fresh")): "create, read a log, update, delete",
        Thing("bucket", names.named("foreign")): "has foreign settings and logs",
        Thing("stack", names.named("adopt")): "adopts that bucket, then restores it",
    }


def told(names: Names, account: str, region: str, source: str) -> str:
    """Return the plan and its costs as a string."""
    rows = (f"  {each.kind:<18}  {each.name:<28}  {why}" for each, why in planned(names).items())
    return "\n".join(
        (
            f"Run {names.run} in account {account}, {region}, creates and later removes:",
            *rows,
            f"Each has the tag {TAG}={names.run}, and is recorded before it is created.",
            "The stacks also create roles, functions, log groups, a bucket and topics.",
            "No other bucket or load balancer is changed.",
            f"Only {source} can reach the load balancer.",
            f"This takes about 30 minutes and costs about ${_RUN:.2f}. Resources that stay cost"
            f" about ${_DAY:.2f} a day; --sweep removes those of a killed run.",
        )
    )
