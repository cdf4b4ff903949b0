"""What a plan does for each load balancer, in sentences; pure."""

from collections.abc import Mapping

from dt_logs_cfn.operate.plans.planned import Planned
from dt_logs_handler.model import Logging, SetLogging
from dt_logs_handler.names import Location, load_balancer_name


def sentences(found: Planned) -> Mapping[str, list[str]]:
    """Return the sentences by subject, as the plan's changes name their subjects."""
    lines: dict[str, list[str]] = {}
    plan, request = found.plan, found.request
    if plan is None:
        return lines
    logging = {each.load_balancer: each for each in plan.steps if isinstance(each, SetLogging)}
    for arn, step in logging.items():
        lines[arn] = [_logging(step.was, step.to)]
    mine = found.state.registered(request.stack)
    for each in plan.placements:
        arn, location = each.load_balancer, each.location
        known = any(claim.covers(location, load_balancer_name(arn)) for claim in mine)
        if known or request.properties is None or not plan.changes:
            continue
        if arn not in lines:
            lines[arn] = [f"Leave access logs on, to {_place(location)}"]
        lines[arn].append(f"Let Data Theorem's account {request.properties.vendor} read them")
        lines[arn].append("Announce new ones to its endpoint")
    return {f"load balancer {load_balancer_name(arn)}": told for arn, told in lines.items()}


def _logging(was: Logging, to: Logging) -> str:
    if not was.enabled:
        return f"Turn on access logs to {_place(to.location)}"
    if not to.enabled:
        return f"Turn off access logs to {_place(was.location)}"
    return f"Move access logs from {_place(was.location)} to {_place(to.location)}"


def _place(location: Location) -> str:
    return f"s3://{location.bucket}/{location.prefix}"
