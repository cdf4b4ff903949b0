"""`plan`: show what `deploy` would change in an account, without changing anything.

The output does not contain secrets: an endpoint is shown without its path and query.
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.cli.terminal import Operator, printable, result, watch
from dt_logs_cfn.operate import account, stack_options
from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.plans.asked import properties
from dt_logs_cfn.operate.plans.diff import PlannedChange
from dt_logs_cfn.operate.plans.planned import Conflict, Preview, planned
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import RUN_TOKEN, existing
from dt_logs_cfn.operate.status import reads
from dt_logs_handler.model import CreateBucket, Logging, Plan, SetLogging
from dt_logs_handler.names import Location, load_balancer_name


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `plan`: those of `deploy` that describe the wanted stack."""
    role = "the service role that `deploy` will be given; only its name is checked"
    stack_options.add_wanted(parser, role)
    aws.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Show what would change; return 0 for nothing, 1 for changes, 3 if `deploy` would fail."""
    name = arguments.stack
    stack_options.check_names(arguments)
    given = stack_options.parameters(arguments)
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        here = account.here(session)
        stack = existing(session.client("cloudformation"), name)
        deployment = stack_options.deployment(arguments, here, stack, given, {})
        itself = deployment.as_change()
        request = deployment.request(time.time())
        clients = account.clients(session)
        watch(clients, Operator())
        found = planned(request, clients, time.time)
        vended = reads.vended_logs(session.client("logs"))
        outposts = reads.on_outposts(lambda: reads.load_balancers(clients[0]))
    leaving = deployment.dropped(lambda: sorted(found.state.load_balancers))
    leaving = replace(leaving, stops=found.stops)
    runs = _runs(deployment)
    preview = Preview(found, itself, deployment.stack, runs, leaving, vended, outposts)
    what = f"{'An update of' if stack else 'A new stack'} {name}"
    at = f"account {here.account}, region {here.region}"
    result(arguments.json, data(preview), [told(preview, f"{what} in {at}")])
    return preview.code


def _runs(deployment: Deployment) -> bool:
    """Return whether CloudFormation would invoke the function: for a new stack or changed input."""
    if deployment.before is None:
        return True
    before = properties(deployment.before.template, deployment.before.stack.parameters)
    return properties(deployment.template.document, deployment.values) != before


def data(preview: Preview) -> object:
    """Return a preview as data for programs."""
    found, plan = preview.planned, preview.planned.plan or Plan()
    left_out = sorted(plan.refused.items())
    known = not isinstance(preview.vended, Unread)
    return _filled(
        preview,
        {
            "works": found.works,
            "runs": preview.runs,
            "leaving": preview.dropped.data(),
            "changes": [asdict(each) for each in preview.changes],
            "drift": [asdict(each) for each in preview.drift],
            "conflicts": [asdict(each) for each in found.conflicts],
            "left_out": [{"load_balancer": arn, "why": why} for arn, why in left_out],
            "kept": plan.kept,
            "warnings": plan.warnings,
            "denied": [str(each) for each in found.denied],
            "unread": found.state.unread,
            "on_outposts": None if isinstance(preview.on_outposts, Unread) else preview.unsupported,
            "vended_logs": [asdict(each) for each in preview.delivered] if known else None,
            "log_locations": [
                {"load_balancer": each.load_balancer, **asdict(each.location)}
                for each in plan.placements
            ],
        },
    )


def _filled(preview: Preview, value: object) -> object:
    """Return data with placeholders for unknown values, and without the endpoint's secret."""
    match value:
        case str():
            return preview.filled(value)
        case dict():
            return {key: _filled(preview, each) for key, each in value.items()}
        case list() | tuple():
            return [_filled(preview, each) for each in value]
    return value


def told(preview: Preview, what: str) -> str:
    """Return the plan as text for people; `what` describes the planned operation."""
    found = preview.planned
    lines = [f"{what}. Nothing was changed.", ""]
    if preview.dropped:
        lines += [*preview.dropped.lines(), ""]
    if preview.runs and found.plan is None:
        unsure = "Unknown whether the stack would work, because you may not read everything:"
        lines += [unsure if found.denied else "It cannot work:", *_conflict_lines(found.conflicts)]
    else:
        lines += _change_lines(preview.changes, _sentences(preview) if preview.runs else {})
        if found.plan is not None and not found.works:
            lines.append("There may be more to do: not everything could be read.")
        elif found.plan is not None and not found.plan.changes:
            lines.append("Nothing to do in buckets, topics and load balancers.")
        if not preview.runs:
            lines += _drift_lines(preview)
    for title, items in _sections(preview):
        lines += ["", title, *(f"  {each}" for each in items)] if items else []
    lines += ["", *_notes(preview)]
    # Anybody may have written the policies, so the lines must be made safe for a terminal.
    return "\n".join(printable(preview.filled(line), "?") for line in lines)


def _drift_lines(preview: Preview) -> Iterator[str]:
    """Yield the changes that a run would make, for an update that does not run the function."""
    if preview.planned.plan is None:
        yield "The function would not run. If it ran now, it would fail:"
        yield from _conflict_lines(preview.planned.conflicts)
    elif preview.drift and preview.stack:
        yield (
            "The function would not run; with"
            f" `--parameter {RUN_TOKEN}={preview.stack.next_token}` it would do this:"
        )
        yield ""
        yield from _change_lines(preview.drift, _sentences(preview))


def _conflict_lines(conflicts: Sequence[Conflict]) -> Iterator[str]:
    for each in conflicts:
        names = ", ".join(load_balancer_name(arn) for arn in each.load_balancers)
        mentioned = not names or names in each.what
        yield f"! {each.what}" if mentioned else f"! {names}: {each.what}"
        yield f"  fix: {each.fix}"


def _sentences(preview: Preview) -> Mapping[str, list[str]]:
    """Return sentences about the load balancers of a plan, by subject (as in `PlannedChange`)."""
    lines: dict[str, list[str]] = {}
    found, unsupported = preview.planned, preview.unsupported
    plan, request = found.plan or Plan(), found.request
    logging = {each.load_balancer: each for each in plan.steps if isinstance(each, SetLogging)}
    for arn, step in logging.items():
        lines[arn] = [_logging(step.was, step.to)]
        if step.to.enabled and arn in unsupported:
            to = _at(step.to.location)
            lines[arn] = [f"It is on an Outpost, so AWS will probably refuse access logs to {to}"]
    mine = found.state.registered(request.stack)
    for each in plan.placements:
        arn, location = each.load_balancer, each.location
        known = any(claim.covers(location, load_balancer_name(arn)) for claim in mine)
        refused = arn in lines and arn in unsupported
        if known or refused or request.properties is None or not plan.changes:
            continue
        if arn not in lines:
            lines[arn] = [f"Leave access logs on, to {_at(location)}"]
        lines[arn].append(f"Let Data Theorem's account {request.properties.vendor} read them")
        lines[arn].append("Announce new ones to its endpoint")
    return {f"load balancer {load_balancer_name(arn)}": told for arn, told in lines.items()}


def _logging(was: Logging, to: Logging) -> str:
    if not was.enabled:
        return f"Turn on access logs to {_at(to.location)}"
    if not to.enabled:
        return f"Turn off access logs to {_at(was.location)}"
    return f"Move access logs from {_at(was.location)} to {_at(to.location)}"


def _at(location: Location) -> str:
    return f"s3://{location.bucket}/{location.prefix}"


def _change_lines(
    found: Sequence[PlannedChange], said: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield each subject's sentences and changes: the stack, the load balancers, then the rest."""
    if not found:
        return
    listed = {subject: list(lines) for subject, lines in said.items()}
    for each in found:
        listed.setdefault(each.subject, []).extend(each.diff)
    by_subject = {name: listed[name] for name in sorted(listed, key=_rank)}
    # If load balancers have equal changes, list all of their names, then the changes once.
    for diff, subjects in groupby(by_subject, by_subject.__getitem__):
        yield from subjects
        yield from (f"  {part}" for line in diff for part in _parts(line))
    count = sum(line[0] in "+-~" for each in found for line in each.diff)
    yield ""
    yield f"{count} change{'' if count == 1 else 's'}."


def _parts(line: str) -> Iterator[str]:
    """Yield a line of a diff; a JSON document in it is split into several short lines."""
    start, brace, rest = line.partition(" {")
    if not brace or start[2:] not in ("policy", "notification", "filter"):
        yield line
        return
    first, *others = canonical.readable(f"{{{rest}", width=70).splitlines()
    yield f"{start} {first}"
    yield from (f"{start[0]}   {each}" for each in others)


def _rank(subject: str) -> int:
    """Return a subject's sort key; equal keys keep the order of the steps."""
    return {"stack": 0, "load": 1}.get(subject.partition(" ")[0], 2)


def _sections(preview: Preview) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what the plan leaves out or does not know: titles, each with its items, if any."""
    found, plan = preview.planned, preview.planned.plan or Plan()
    if isinstance(preview.vended, Unread):
        title = "Unknown whether CloudWatch Logs delivers access logs, too:"
        yield title, [preview.vended.why]
    yield (
        "CloudWatch Logs already delivers access logs of these, and continues (both can be on):",
        [f"{load_balancer_name(e.load_balancer)}: to {e.destination}" for e in preview.delivered],
    )
    if isinstance(preview.on_outposts, Unread):
        yield "Unknown whether a load balancer is on an Outpost:", [preview.on_outposts.why]
    properties = found.request.properties
    every = properties is not None and properties.every
    fix = "instead of *, list the others" if every else "take these out of LoadBalancerArns"
    title = f"On an Outpost, which is not supported: {fix}."
    yield title, list(map(load_balancer_name, preview.unsupported))
    refused = sorted(plan.refused.items())
    yield "Left out:", [f"{load_balancer_name(arn)}: {why}" for arn, why in refused]
    yield "Unusable, and left as it is:", plan.warnings
    yield "Stays behind:", plan.kept
    yield "Could not be searched:", found.state.unread
    yield (
        "You may not read these, so the plan may be wrong about them (the Lambda may read them):",
        list(map(str, found.denied)),
    )


def _notes(preview: Preview) -> Iterator[str]:
    """Yield notes about the plan."""
    found, plan = preview.planned, preview.planned.plan or Plan()
    if plan.changes:
        yield (
            "<time> is when CloudFormation sends the update."
            if preview.stack
            else "<tag>, <location> and <time> are known once the stack exists."
        )
    own = found.request.stack.own_buckets
    if any(isinstance(each, CreateBucket) and each.bucket in own for each in plan.steps):
        yield (
            "The new bucket's name ends in -an only if the boto3 of Lambda's runtime knows the"
            " account-regional namespace. The name shown here is from this machine's boto3."
        )
    yield (
        "This was read with your permissions. Only a run shows whether the Lambda's role, a"
        " permissions boundary or an organisation's policy allows each change."
    )
