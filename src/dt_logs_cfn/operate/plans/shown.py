"""A plan in words: as a diff for people, as data for programs; pure.

Nothing secret is in it: an endpoint is shown without its path and query.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import groupby

from dt_logs_cfn.cli.terminal import printable
from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.load_balancers import Dropped
from dt_logs_cfn.operate.plans.diff import PlannedChange, changes
from dt_logs_cfn.operate.plans.planned import Conflict, Planned
from dt_logs_cfn.operate.plans.sentences import sentences
from dt_logs_cfn.operate.status.reads import VendedLogs
from dt_logs_handler.model import CreateBucket, Plan
from dt_logs_handler.names import load_balancer_name
from dt_logs_handler.request import Request


def placeholders(request: Request, plan: Plan | None, *, exists: bool) -> Callable[[str], str]:
    """Return what puts placeholders for what is known only once the stack is, or it has run.

    Those are the stack's tag, digests of names in which it is, and the time of the request.
    """
    named = {f"{request.stack.tag}": "<tag>"} if not exists else {}
    for each in plan.placements if plan and not exists else ():
        location = each.location
        if request.stack.tag in f"{location.bucket}/{location.prefix}":
            named[location.notification_id.rpartition("-")[2]] = "<location>"
            named[location.digest] = "<location>"
    named[f"{request.time:08x}"] = "<time>"
    if request.properties:
        end = request.properties.endpoint
        named[end.address] = end.shown

    def filled(text: str) -> str:
        for known, placeholder in named.items():
            text = text.replace(known, placeholder)
        return text

    return filled


@dataclass(frozen=True)
class Preview:
    """What `deploy` would come to: of the stack itself, and of the function, if that `runs`."""

    planned: Planned
    itself: PlannedChange | None
    exists: bool
    runs: bool
    dropped: Dropped = field(default_factory=Dropped)
    vended: tuple[VendedLogs, ...] | Unread = ()

    @property
    def code(self) -> int:
        """0 if `deploy` would do nothing, 1 if something, 3 if it cannot work."""
        if self.runs and not self.planned.works:
            return 3
        return 1 if self.changes else 0

    @property
    def changes(self) -> list[PlannedChange]:
        """All that would change."""
        itself = [self.itself] if self.itself and (self.planned.plan or not self.runs) else []
        return [*itself, *(self._in_account if self.runs else ())]

    @property
    def drift(self) -> list[PlannedChange]:
        """What a run would change in the account, which this one causes none of."""
        return [] if self.runs else self._in_account

    @property
    def delivered(self) -> list[VendedLogs]:
        """What CloudWatch Logs delivers of the load balancers that this is about."""
        known = () if isinstance(self.vended, Unread) else self.vended
        return [each for each in known if each.load_balancer in self.planned.state.load_balancers]

    @cached_property
    def filled(self) -> Callable[[str], str]:
        """What puts placeholders into a text for what is not known yet."""
        found = self.planned
        return placeholders(found.request, found.plan, exists=self.exists)

    @cached_property
    def _in_account(self) -> list[PlannedChange]:
        found = self.planned
        if found.plan is None or not found.plan.changes:
            return []
        return changes(found.plan, found.state, found.request.stack)


def data(preview: Preview) -> dict[str, object]:
    """Return the same for programs."""
    found, filled = preview.planned, preview.filled
    plan = found.plan or Plan()

    def listed(these: Sequence[PlannedChange]) -> list[dict[str, object]]:
        return [
            {
                "step": each.step,
                "subject": filled(each.subject),
                "diff": [filled(line) for line in each.diff],
            }
            for each in these
        ]

    return {
        "works": found.works,
        "runs": preview.runs,
        "leaving": preview.dropped.data(),
        "changes": listed(preview.changes),
        "drift": listed(preview.drift),
        "conflicts": [
            {
                "load_balancers": list(each.load_balancers),
                "what": filled(each.what),
                "fix": filled(each.fix),
            }
            for each in found.conflicts
        ],
        "left_out": [
            {"load_balancer": arn, "why": filled(why)} for arn, why in sorted(plan.refused.items())
        ],
        "kept": [filled(each) for each in plan.kept],
        "warnings": [filled(each) for each in plan.warnings],
        "denied": [str(each) for each in found.denied],
        "unread": list(found.state.unread),
        "vended_logs": None
        if isinstance(preview.vended, Unread)
        else [asdict(each) for each in preview.delivered],
        "log_locations": [
            {
                "load_balancer": each.load_balancer,
                "bucket": filled(each.location.bucket),
                "prefix": filled(each.location.prefix),
            }
            for each in plan.placements
        ],
    }


def told(preview: Preview, what: str) -> str:
    """Return what was planned for people; `what` is planned, in words."""
    found = preview.planned
    lines = [f"{what}; nothing was changed by this look.", ""]
    if preview.dropped:
        lines += [*preview.dropped.lines(), ""]
    if preview.runs and found.plan is None:
        unsure = "Whether it can work cannot be told, since you may not read all of it:"
        lines += [unsure if found.denied else "It cannot work:", *_conflict_lines(found.conflicts)]
    else:
        lines += _change_lines(preview.changes, sentences(found) if preview.runs else {})
        if found.plan is not None and not found.works:
            lines.append("Whether more is to be done cannot be told: not all could be read.")
        elif found.plan is not None and not found.plan.changes:
            lines.append("Nothing is to be done in buckets, topics and load balancers.")
        if not preview.runs:
            lines += _drift_lines(preview)
    lines += _vended_lines(preview)
    lines += _notes(found, preview.exists)
    # Anybody may have written anything into a policy: a terminal is to take it as text.
    return "\n".join(printable(preview.filled(line), "?") for line in lines)


def _drift_lines(preview: Preview) -> Iterator[str]:
    """Yield what a run would do where the update causes none: its properties stay the same."""
    if preview.planned.plan is None:
        yield "The function would not run. If it did, that could not work now:"
        yield from _conflict_lines(preview.planned.conflicts)
    elif preview.drift:
        yield "The function would not run; with `--parameter RunToken=…` it would do this:"
        yield ""
        yield from _change_lines(preview.drift, sentences(preview.planned))


def _conflict_lines(conflicts: Sequence[Conflict]) -> Iterator[str]:
    for each in conflicts:
        names = ", ".join(load_balancer_name(arn) for arn in each.load_balancers)
        mentioned = not names or names in each.what
        yield f"! {each.what}" if mentioned else f"! {names}: {each.what}"
        yield f"  fix: {each.fix}"


def _change_lines(
    found: Sequence[PlannedChange], said: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield the changes by subject, after what is said of it: first the stack, load balancers."""
    if not found:
        return
    listed = {subject: list(lines) for subject, lines in said.items()}
    for each in found:
        listed.setdefault(each.subject, []).extend(each.diff)
    by_subject = {name: listed[name] for name in sorted(listed, key=_rank)}
    # Hundreds of load balancers that get the same are named one by one, with that once beneath.
    for diff, subjects in groupby(by_subject, by_subject.__getitem__):
        yield from subjects
        yield from (f"  {line}" for line in diff)
    count = sum(line[0] in "+-~" for each in found for line in each.diff)
    yield ""
    yield f"{count} change{'' if count == 1 else 's'}."


def _rank(subject: str) -> int:
    """Return where a subject stands: sorting by it keeps the order of the steps otherwise."""
    return {"stack": 0, "load": 1}.get(subject.partition(" ")[0], 2)


def _vended_lines(preview: Preview) -> Iterator[str]:
    """Yield what is logged besides the S3 attribute, which alone Data Theorem reads."""
    if isinstance(preview.vended, Unread):
        yield from ("", "Whether CloudWatch Logs delivers access logs, too, is not known:")
        yield f"  {preview.vended.why}"
        return
    yield from _listed(
        "CloudWatch Logs delivers access logs of these already, and goes on to (both can be on):",
        [
            f"{load_balancer_name(each.load_balancer)}: to {each.destination}"
            for each in preview.delivered
        ],
    )


def _notes(found: Planned, exists: bool) -> Iterator[str]:
    plan = found.plan or Plan()
    yield from _listed("Left out:", _left_out(plan))
    yield from _listed("Unusable, and left as it is:", plan.warnings)
    yield from _listed("Stays behind:", plan.kept)
    yield from _listed("Could not be searched:", found.state.unread)
    yield from _listed(
        "You may not read, so what is said of it may not hold (the Lambda may read it or not):",
        [str(each) for each in found.denied],
    )
    yield ""
    if not exists and plan.changes:
        yield "<tag>, <location> and <time> are known once the stack is there."
    elif plan.changes:
        yield "<time> is when CloudFormation asks for the update."
    own = found.request.stack.own_buckets
    if any(isinstance(each, CreateBucket) and each.bucket in own for each in plan.steps):
        yield (
            "The new bucket's name ends in -an only if the boto3 of Lambda's runtime knows the"
            " account-regional namespace; here it is as this machine's boto3 has it."
        )
    yield (
        "This was read with your rights. Whether the Lambda's role, a permissions boundary or an"
        " organisation's policy allows each change is not known before it runs."
    )


def _left_out(plan: Plan) -> list[str]:
    return [
        f"{arn.partition(':loadbalancer/')[2]}: {why}" for arn, why in sorted(plan.refused.items())
    ]


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield ""
        yield title
        yield from (f"  {each}" for each in items)
