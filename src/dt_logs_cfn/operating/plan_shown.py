"""A plan in words: as a diff for people, as data for programs; pure.

Nothing secret is in it: an endpoint is shown without its path and query.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from dt_logs_cfn.operating.plan_diff import Change, changes
from dt_logs_cfn.operating.planned import Conflict, Planned
from dt_logs_cfn.printable import printable
from dt_logs_handler.request import Request
from dt_logs_handler.steps import CreateBucket, Plan


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


def data(found: Planned, itself: Change | None, *, exists: bool) -> dict[str, object]:
    """Return what was planned for programs; `itself` is what changes of the stack itself."""
    filled = placeholders(found.request, found.plan, exists=exists)
    plan = found.plan or Plan()
    return {
        "works": found.works,
        "changes": [
            {
                "step": each.step,
                "subject": filled(each.subject),
                "diff": [filled(line) for line in each.diff],
            }
            for each in _known_changes(found, itself)
        ],
        "conflicts": [
            {
                "load_balancers": list(each.load_balancers),
                "what": filled(each.what),
                "fix": filled(each.fix),
            }
            for each in found.conflicts
        ],
        "left_out": [
            {"load_balancer": arn, "why": filled(why)}
            for arn, why in sorted((plan.refused or {}).items())
        ],
        "kept": [filled(each) for each in plan.kept],
        "denied": [str(each) for each in found.denied],
        "unread": list(found.state.unread),
        "log_locations": [
            {
                "load_balancer": each.load_balancer,
                "bucket": filled(each.location.bucket),
                "prefix": filled(each.location.prefix),
            }
            for each in plan.placements
        ],
    }


def told(found: Planned, itself: Change | None, what: str, *, exists: bool) -> str:
    """Return what was planned for people; `what` is planned, in words."""
    filled = placeholders(found.request, found.plan, exists=exists)
    lines = [f"{what}; nothing was changed by this look.", ""]
    if found.plan is None:
        lines += ["It cannot work:", *_conflict_lines(found.conflicts)]
    else:
        lines += _change_lines(_known_changes(found, itself))
        if not found.works:
            lines.append("Whether more is to be done cannot be told: not all could be read.")
        elif not found.plan.changes:
            lines.append("Nothing is to be done in buckets, topics and load balancers.")
    lines += _notes(found, exists)
    # Anybody may have written anything into a policy: a terminal is to take it as text.
    return "\n".join(printable(filled(line), "?") for line in lines)


def _known_changes(found: Planned, itself: Change | None) -> list[Change]:
    if found.plan is None:
        return []
    in_account = changes(found.plan, found.state, found.request.stack) if found.plan.changes else []
    return [*([itself] if itself else []), *in_account]


def _conflict_lines(conflicts: Sequence[Conflict]) -> Iterator[str]:
    for each in conflicts:
        names = ", ".join(arn.partition(":loadbalancer/")[2] for arn in each.load_balancers)
        mentioned = not names or names in each.what
        yield f"! {each.what}" if mentioned else f"! {names}: {each.what}"
        yield f"  fix: {each.fix}"


def _change_lines(found: Sequence[Change]) -> Iterator[str]:
    if not found:
        return
    by_subject: dict[str, list[str]] = {}
    for each in found:
        by_subject.setdefault(each.subject, []).extend(each.diff)
    # Hundreds of load balancers that get the same are named one by one, with that once beneath.
    for diff, subjects in groupby(by_subject, by_subject.__getitem__):
        yield from subjects
        yield from (f"  {line}" for line in diff)
    count = sum(line[0] in "+-~" for each in found for line in each.diff)
    yield ""
    yield f"{count} change{'' if count == 1 else 's'}."


def _notes(found: Planned, exists: bool) -> Iterator[str]:
    plan = found.plan or Plan()
    yield from _listed("Left out:", _left_out(plan))
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
        f"{arn.partition(':loadbalancer/')[2]}: {why}"
        for arn, why in sorted((plan.refused or {}).items())
    ]


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield ""
        yield title
        yield from (f"  {each}" for each in items)
