"""Carrying out steps: each reads again before it writes, and notes how it is undone.

Nothing here decides what is to be so; that is the plan's. A step whose end is already reached, or
whose object somebody else has changed since it was seen, changes nothing.
"""

from collections.abc import Iterable, Iterator
from functools import partial

from botocore.exceptions import ClientError

from . import bucket_steps, topic_steps
from .aws import PASSING, POLICY_SPREADS, code, failure
from .effects import Effects
from .errors import HandlerError
from .model import LoadBalancer
from .observe import logging_of, read_load_balancer
from .steps import (
    CreateBucket,
    DeleteBucket,
    DeleteTestFile,
    DeleteTopic,
    EditNotifications,
    EditPolicy,
    EnsureTopic,
    Guard,
    SecureBucket,
    SetFilter,
    SetLogging,
    SetRetention,
    SetTags,
    Step,
    Subscribe,
    Unsubscribe,
)


def carry_out(steps: Iterable[Step], effects: Effects) -> None:
    """Take the steps in order; raises at the first that fails, as CallFailed or Refused.

    Load balancers that follow each other are seen to several at once. Where one fails apart from
    the others, what would follow is left to the next plan.
    """
    try:
        for group in _groups(steps):
            known = len(effects.failed)
            effects.aws.each(partial(_carry_out, effects), group)
            if len(effects.failed) > known:
                return  # what was to follow was planned as if all had come in
    finally:
        effects.fresh.clear()


def _groups(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Put load balancers that follow each other together, each once; other steps are alone."""
    group: dict[str, Step] = {}
    for step in steps:
        arn = step.load_balancer if isinstance(step, SetLogging) else ""
        if group and (not arn or arn in group or "" in group):
            yield [*group.values()]
            group = {}
        group[arn] = step
    if group:
        yield [*group.values()]


def _carry_out(effects: Effects, step: Step) -> None:
    try:
        effects.log(step, _take(step, effects))
    except ClientError as error:
        effects.log(step, "failed")
        failed = failure(error)
        if not (isinstance(step, SetLogging) and step.to.enabled):
            raise failed from error
        if code(error) == POLICY_SPREADS.code and POLICY_SPREADS.text in str(error):
            effects.closed.add(step.to.bucket)
        refused = error.operation_name.startswith("Modify") and code(error) not in PASSING
        if effects.undoing or not (effects.apart and refused):
            raise failed from error
        effects.failed[step.load_balancer] = str(failed)


def carry_out_all(steps: Iterable[Step], effects: Effects) -> list[HandlerError]:
    """Take every step, also after one has failed; returns the failures.

    After a failure the register stays, so that what could not be taken away is found again.
    """
    failures: list[HandlerError] = []
    for group in _groups(steps):
        if failures and isinstance(group[0], (EditPolicy, DeleteBucket)):
            effects.log(group[0], "kept for the next try")
            continue
        failures += filter(None, effects.aws.each(partial(_tried, effects), group))
    return failures


def _tried(effects: Effects, step: Step) -> HandlerError | None:
    try:
        _carry_out(effects, step)
    except HandlerError as error:
        return error
    return None


def undo(effects: Effects) -> list[HandlerError]:
    """Take back what the run did, last first; what others use by now stays. Returns failures."""
    steps = effects.journal[::-1]
    effects.journal.clear()
    return carry_out_all(steps, effects)


def _take(step: Step, effects: Effects) -> str:
    match step:
        case CreateBucket():
            return bucket_steps.create(step, effects)
        case SecureBucket():
            return bucket_steps.secure(step, effects)
        case SetTags():
            return bucket_steps.set_tags(step, effects)
        case SetRetention():
            return bucket_steps.set_retention(step, effects)
        case EditPolicy():
            return bucket_steps.edit_policy(step, effects)
        case EnsureTopic():
            return topic_steps.ensure(step, effects)
        case Subscribe():
            return topic_steps.subscribe(step, effects)
        case SetFilter():
            return topic_steps.set_filter(step, effects)
        case EditNotifications():
            return bucket_steps.edit_notifications(step, effects)
        case SetLogging():
            return _set_logging(step, effects)
        case Unsubscribe():
            return topic_steps.unsubscribe(step, effects)
        case DeleteTopic():
            return topic_steps.delete(step, effects)
        case DeleteTestFile():
            return bucket_steps.delete_test_file(step, effects)
        case DeleteBucket():
            return bucket_steps.delete(step, effects)


def _set_logging(step: SetLogging, effects: Effects) -> str:
    """Change an ALB's access-log attributes, if they are still as they were seen."""
    aws, arn, to = effects.aws, step.load_balancer, step.to
    effects.answered.pop(arn, None)
    if effects.guarded(step.guard):
        return "kept for another stack"
    found = read_load_balancer(aws, arn)
    if found is None:
        return "the load balancer is gone"
    if found.logging == to:
        return "already so"
    if found.logging != step.was:
        return "changed by somebody else since"
    location = to.location
    guard = Guard(location.bucket, location, found.name) if to.enabled else None
    effects.journal.append(SetLogging(arn, to, step.was, guard))
    attributes = [("enabled", str(to.enabled).lower()), ("prefix", to.prefix)]
    if to.bucket:  # which AWS does not let be emptied
        attributes.append(("bucket", to.bucket))
    answer = aws.call(
        lambda: aws.elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=arn,
            Attributes=[
                {"Key": f"access_logs.s3.{key}", "Value": value} for key, value in attributes
            ],
        ),
        *([POLICY_SPREADS] if to.enabled and to.bucket not in effects.closed else []),
    )
    if logging_of(answer["Attributes"]) == to:
        effects.answered[arn] = LoadBalancer(arn, to)
    return "logging is on" if to.enabled else "logging is off"
