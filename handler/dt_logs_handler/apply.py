"""Carrying out steps: each reads again before it writes, and notes how it is undone.

Nothing here decides what is to be so; that is the plan's. A step whose end is already reached, or
whose object somebody else has changed since it was seen, changes nothing.
"""

from collections.abc import Iterable

from botocore.exceptions import ClientError

from . import bucket_steps, topic_steps
from .aws import POLICY_SPREADS, failure
from .effects import Effects
from .errors import HandlerError
from .observe import read_load_balancer
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
    """Take the steps in order; raises at the first that fails, as CallFailed or Refused."""
    for step in steps:
        try:
            effects.log(step, _take(step, effects))
        except ClientError as error:
            effects.log(step, "failed")
            raise failure(error) from error


def carry_out_all(steps: Iterable[Step], effects: Effects) -> list[HandlerError]:
    """Take every step, also after one has failed; returns the failures.

    After a failure the register stays, so that what could not be taken away is found again.
    """
    failures: list[HandlerError] = []
    for step in steps:
        if failures and isinstance(step, (EditPolicy, DeleteBucket)):
            effects.log(step, "kept for the next try")
            continue
        try:
            carry_out([step], effects)
        except HandlerError as error:
            failures.append(error)
    return failures


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
    aws.call(
        lambda: aws.elbv2.modify_load_balancer_attributes(
            LoadBalancerArn=arn,
            Attributes=[
                {"Key": f"access_logs.s3.{key}", "Value": value} for key, value in attributes
            ],
        ),
        *([POLICY_SPREADS] if to.enabled else []),
    )
    return "logging is on" if to.enabled else "logging is off"
