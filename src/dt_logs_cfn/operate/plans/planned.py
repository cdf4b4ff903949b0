"""What the handler would do in an account: its own `observe` and `plan`, and nothing written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import AwsError
from dt_logs_cfn.operate.account import Denied, Reading, observed, reading
from dt_logs_cfn.operate.plans.asked import expected
from dt_logs_handler.aws import denied
from dt_logs_handler.errors import Refused
from dt_logs_handler.main import Clients
from dt_logs_handler.model import Bucket, Plan, SetLogging, State, Unreadable
from dt_logs_handler.names import is_own_bucket_name
from dt_logs_handler.plan import plan
from dt_logs_handler.request import Privileges, Request
from dt_logs_handler.run import fitting


@dataclass(frozen=True)
class Conflict:
    """What is in the way, in the handler's own words; `load_balancers` are ARNs, if it names any.

    A conflict with none concerns the request as a whole.
    """

    load_balancers: tuple[str, ...]
    what: str
    fix: str


@dataclass(frozen=True)
class Planned:
    """What a request would come to; without a plan there are conflicts. `denied` were reads."""

    request: Request
    state: State
    plan: Plan | None
    conflicts: tuple[Conflict, ...] = ()
    denied: tuple[Denied, ...] = ()

    @property
    def stops(self) -> frozenset[str] | None:
        """The load balancers whose access logging stops; None without a plan."""
        if self.plan is None:
            return None
        changes = (each for each in self.plan.steps if isinstance(each, SetLogging))
        return frozenset(
            each.load_balancer for each in changes if each.was.enabled and not each.to.enabled
        )

    @property
    def works(self) -> bool:
        """Whether the run can work, and all that it depends on could be read."""
        return self.plan is not None and (bool(self.plan.changes) or not self.denied)


def planned(request: Request, clients: Clients, clock: Callable[[], float]) -> Planned:
    """Read what a request is about and plan it.

    Raises AwsError with every right that is missing, if the reading cannot go on without;
    botocore's other errors; OperatingError.
    """
    noted: list[Denied] = []
    through = reading(clients, noted, clock)
    try:
        with expected():
            state = observed(request, through)
    except ClientError as error:
        if not denied(error):
            raise
        raise _missing(missing_rights(request, clients, clock)) from error
    rights = missing_rights(request, clients, clock) if noted else ()
    return decided(request, state, through, rights)


def decided(
    request: Request, state: State, through: Reading, rights: tuple[Denied, ...]
) -> Planned:
    """Plan from what was read, for the time that the function has, or tell what is in the way."""
    seen = as_the_role_may(request, state)
    try:
        found = fitting(request, through, seen, plan(request, seen), {})
        return Planned(request, state, found, (), rights)
    except Refused as why:
        return Planned(request, state, None, tuple(_conflicts(request, seen, why)), rights)


def missing_rights(
    request: Request, clients: Clients, clock: Callable[[], float]
) -> tuple[Denied, ...]:
    """Return every read of a request's that is denied to the caller, each once."""
    noted: list[Denied] = []
    with expected():
        observed(request, reading(clients, noted, clock, lenient=True))
    return tuple(sorted(set(noted)))


def as_the_role_may(request: Request, state: State) -> State:
    """Return the state as the stack's role sees it: `ExistingLogBucketNames` narrows that one."""
    if not request.narrowed or request.privileges is not Privileges.LEAST_PRIVILEGE:
        return state
    allowed = {*request.narrowed, request.bucket}
    why = "the stack's role may not touch it: ExistingLogBucketNames leaves it out"
    return replace(
        state,
        buckets={
            name: Unreadable(why)
            if isinstance(each, Bucket) and name not in allowed and not is_own_bucket_name(name)
            else each
            for name, each in state.buckets.items()
        },
    )


def _conflicts(request: Request, state: State, why: Refused) -> Iterator[Conflict]:
    """Yield what is in the way of each load balancer, alone; the plan stops at the first."""
    found: dict[tuple[str, str], list[str]] = {}
    properties = request.properties
    if properties and not properties.every:
        for arn in properties.load_balancers:
            alone = replace(properties, load_balancers=(arn,))
            try:
                plan(replace(request, properties=alone), state)
            except Refused as each:
                found.setdefault((each.what, each.fix), []).append(arn)
    if not found:
        found[why.what, why.fix] = []
    for (what, fix), arns in found.items():
        yield Conflict(tuple(arns), what, fix)


def _missing(rights: tuple[Denied, ...]) -> AwsError:
    return AwsError(
        f"You may not read what a plan is made from: {', '.join(map(str, rights))}.",
        "Have it allowed for you, or use credentials that may; the Lambda's own rights are others.",
    )
