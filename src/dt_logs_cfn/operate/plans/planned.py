"""Run the handler's own `observe` and `plan` for an account; write nothing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import AwsError
from dt_logs_cfn.operate.account import DELETED, Denied, Reading, Unread, locked, observed, reading
from dt_logs_cfn.operate.plans.diff import PlannedChange, changes
from dt_logs_cfn.operate.stacks.deployment import Dropped
from dt_logs_cfn.operate.stacks.stack import StackDescription, with_command
from dt_logs_cfn.operate.status.reads import VendedLogs
from dt_logs_handler.aws import denied
from dt_logs_handler.errors import ALLOW, Refused
from dt_logs_handler.main import Clients
from dt_logs_handler.model import Bucket, Plan, SetLogging, State, Unreadable
from dt_logs_handler.names import is_own_bucket_name
from dt_logs_handler.plan import plan
from dt_logs_handler.request import Privileges, Request
from dt_logs_handler.run import fitting

# The handler's advice, which `_explained` replaces.
_ADVICE = f"{ALLOW}, or set a bucket of this account, then run the stack again."


@dataclass(frozen=True)
class Conflict:
    """An obstacle to a request, and its fix; `load_balancers` holds the ARNs that it concerns.

    A conflict without load balancers concerns the whole request.
    """

    load_balancers: tuple[str, ...]
    what: str
    fix: str


@dataclass(frozen=True)
class Planned:
    """The outcome of planning a request: a plan, or conflicts. `denied` lists denied reads."""

    request: Request
    state: State
    plan: Plan | None
    conflicts: tuple[Conflict, ...] = ()
    denied: tuple[Denied, ...] = ()

    @property
    def stops(self) -> frozenset[str] | None:
        """The load balancers whose access logging would stop; None without a plan."""
        if self.plan is None:
            return None
        changes = (each for each in self.plan.steps if isinstance(each, SetLogging))
        return frozenset(
            each.load_balancer for each in changes if each.was.enabled and not each.to.enabled
        )

    @property
    def works(self) -> bool:
        """True if there is a plan, and the plan has changes or no read was denied."""
        return self.plan is not None and (bool(self.plan.changes) or not self.denied)


@dataclass(frozen=True)
class Preview:
    """The changes that `deploy` would make: to the stack and, if the function `runs`, the account.

    `stack` is the stack to update; None for a new stack.
    """

    planned: Planned
    itself: PlannedChange | None
    stack: StackDescription | None
    runs: bool
    dropped: Dropped = field(default_factory=Dropped)
    vended: tuple[VendedLogs, ...] | Unread = ()
    on_outposts: frozenset[str] | Unread = frozenset()

    @property
    def code(self) -> int:
        """Exit code: 0 if `deploy` does nothing, 1 for changes or findings, 3 if it may fail."""
        if self.runs and not self.planned.works:
            return 3
        plan = self.planned.plan or Plan()
        # After a denied read, findings are uncertain, because the Lambda may read more. But a
        # bucket policy that locks the caller out probably locks out the Lambda, too.
        certain = not self.planned.denied or locked(self.planned.denied)
        findings = certain and (plan.refused or plan.warnings)
        return 1 if self.changes or findings or self.unsupported else 0

    @property
    def changes(self) -> list[PlannedChange]:
        """All changes that `deploy` would make, the stack's own first."""
        itself = [self.itself] if self.itself and (self.planned.plan or not self.runs) else []
        return [*itself, *(self._in_account if self.runs else ())]

    @property
    def drift(self) -> list[PlannedChange]:
        """The changes that a run would make in the account.

        Empty if `deploy` causes a run, because `changes` then lists these changes.
        """
        return [] if self.runs else self._in_account

    @property
    def unsupported(self) -> list[str]:
        """The load balancers in this plan that are on an Outpost."""
        known = () if isinstance(self.on_outposts, Unread) else self.on_outposts
        return sorted(each for each in known if each in self.planned.state.load_balancers)

    @property
    def delivered(self) -> list[VendedLogs]:
        """CloudWatch Logs' deliveries of access logs from the load balancers in this plan."""
        known = () if isinstance(self.vended, Unread) else self.vended
        return [each for each in known if each.load_balancer in self.planned.state.load_balancers]

    @cached_property
    def _placeholders(self) -> Mapping[str, str]:
        """Placeholders for values that are known only once the stack exists or has run.

        These are the stack's tag, digests of names that contain the tag, and the request's time.
        Also maps the endpoint to the part of it that may be shown.
        """
        request, plan = self.planned.request, self.planned.plan
        named = {} if self.stack else {request.stack.tag: "<tag>"}
        for each in plan.placements if plan and not self.stack else ():
            location = each.location
            if request.stack.tag in f"{location.bucket}/{location.prefix}":
                named[location.notification_id.rpartition("-")[2]] = "<location>"
                named[location.digest] = "<location>"
        named[f"{request.time:08x}"] = "<time>"
        if request.properties:
            named[request.properties.endpoint.address] = request.properties.endpoint.shown
        return named

    def filled(self, text: str) -> str:
        """Put placeholders, the shortened endpoint and the command for another run into a text."""
        run_again = with_command(DELETED, [self.stack]) if self.stack else ""
        text = text.replace(f" {DELETED}", f" {run_again}".rstrip())
        for known, placeholder in self._placeholders.items():
            text = text.replace(known, placeholder)
        return text

    @cached_property
    def _in_account(self) -> list[PlannedChange]:
        found = self.planned
        if found.plan is None or not found.plan.changes:
            return []
        return changes(found.plan, found.state, found.request.stack)


def planned(request: Request, clients: Clients, clock: Callable[[], float]) -> Planned:
    """Read the state that a request concerns, and plan the request.

    Raises AwsError, with every missing permission, if a denied read prevents the plan. Also raises
    botocore's other errors, and OperatingError.
    """
    noted: list[Denied] = []
    through = reading(clients, noted, clock)
    try:
        state = observed(request, through)
    except ClientError as error:
        if not denied(error):
            raise
        rights = ", ".join(map(str, missing_rights(request, clients, clock)))
        raise AwsError(
            f"AWS denies reads that the plan needs: {rights}.",
            "Get the permission, or use other credentials; the Lambda has its own permissions.",
        ) from error
    lacking = missing_rights(request, clients, clock) if noted else ()
    return decided(request, state, through, lacking)


def decided(
    request: Request, state: State, through: Reading, rights: tuple[Denied, ...]
) -> Planned:
    """Plan what fits into the function's time limit; return the plan or the conflicts."""
    seen, shut = as_the_role_may(request, state), locked(rights)
    try:
        found = fitting(request, through, seen, plan(request, seen), {})
    except Refused as why:
        conflicts = tuple(_conflicts(request, seen, why, shut))
        return Planned(request, state, None, conflicts, rights)
    refused = {arn: _explained(each, shut) for arn, each in found.refused.items()}
    warnings = tuple(_explained(each, shut) for each in found.warnings)
    found = replace(found, refused=refused, warnings=warnings)
    return Planned(request, state, found, (), rights)


def _explained(text: str, shut: Mapping[str, Unread]) -> str:
    """Return the handler's text with the reason and fix for each bucket that locks the caller out.

    For such a bucket, the handler's advice to allow its role would not help.
    """
    for bucket, found in shut.items():
        unreadable = f"Bucket {bucket} cannot be read ("
        while unreadable in text:
            before, _, rest = text.partition(unreadable)
            _, _, after = rest.partition(").")
            text = f"{before}{found.why}.{after.replace(_ADVICE, found.fix, 1)}"
    return text


def missing_rights(
    request: Request, clients: Clients, clock: Callable[[], float]
) -> tuple[Denied, ...]:
    """Return the reads that the request needs but AWS denies to the caller, each once."""
    noted: list[Denied] = []
    observed(request, reading(clients, noted, clock, lenient=True))
    return tuple(sorted(set(noted)))


def as_the_role_may(request: Request, state: State) -> State:
    """Return the state as the stack's role sees it.

    Under least privilege, `ExistingLogBucketNames` limits the buckets that the role may use.
    """
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


def _conflicts(
    request: Request, state: State, why: Refused, shut: Mapping[str, Unread]
) -> Iterator[Conflict]:
    """Plan each load balancer alone, and yield the obstacles; a joint plan stops at the first.

    If each load balancer can be planned alone, yields the joint plan's obstacle.
    """
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
        told, _, advice = _explained(f"{what}\n{fix}", shut).partition("\n")
        yield Conflict(tuple(arns), told, advice)
