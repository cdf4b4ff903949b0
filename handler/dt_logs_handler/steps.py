"""Take a step of any kind; most steps read their resource again before they change it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from . import model, notifications
from .apply import Effects
from .aws import POLICY_SPREADS, Passing, code, denied, message
from .buckets import (
    ABSENT,
    LIFECYCLE,
    NOTIFICATIONS,
    NOTIFICATIONS_UNCHECKED,
    POLICY,
    TAGS,
    Setting,
    secure,
    supports,
)
from .documents import Configuration
from .errors import Overtaken, Refused
from .names import BUCKET_TAG, LEFT_TAG, is_own_bucket_name
from .notifications import RETRIES, taken, tampered, topic_policy
from .observe import logging_of, read_load_balancer
from .register import check_policy, dead_principal, registrations, sids

if TYPE_CHECKING:
    from typing import TypeVar

    from mypy_boto3_s3.type_defs import CreateBucketRequestTypeDef
    from mypy_boto3_sns.type_defs import CreateTopicInputTypeDef

    T = TypeVar("T")

_NEW_TOPIC_SPREADS = Passing("NotFound")  # a new topic is not visible everywhere at once
_NEEDED = "kept for another stack"
_SAME = "already so"


def take(step: model.Step, effects: Effects) -> str:
    """Take a step; return its outcome. Raises ClientError or HandlerError."""
    match step:
        case model.CreateBucket():
            return _create_bucket(step, effects)
        case model.SecureBucket(bucket):
            secure(effects.at(bucket))
            return "secured"
        case model.SetTags(bucket):
            return _configure(TAGS, bucket, step.applied, effects)
        case model.SetRetention(bucket):
            return _configure(LIFECYCLE, bucket, step.applied, effects)
        case model.EditPolicy():
            return _edit_policy(step, effects)
        case model.EditNotifications():
            return _edit_notifications(step, effects)
        case model.EnsureTopic():
            return _ensure_topic(step, effects)
        case model.Subscribe():
            return _subscribe(step, effects)
        case model.SetFilter():
            return _set_filter(step, effects)
        case model.SetLogging():
            return _set_logging(step, effects)
    return _take_away(step, effects)


def _take_away(
    step: model.Unsubscribe | model.DeleteTopic | model.DeleteTestFile | model.DeleteBucket,
    effects: Effects,
) -> str:
    """Delete one of our resources or end our subscription, unless another stack needs it."""
    aws = effects.aws
    with _ignoring(*ABSENT, "NotFound", "NotFoundException"):
        if effects.needed(step):
            return _NEEDED
        match step:
            case model.DeleteBucket():
                return _delete_bucket(step, effects)
            case model.DeleteTestFile(location):
                key = location.test_file(effects.stack)
                effects.at(step.bucket).call(lambda s3, at: s3.delete_object(**at, Key=key))
            case model.DeleteTopic(topic):
                aws.call(lambda: aws.sns.delete_topic(TopicArn=topic))
            case model.Unsubscribe(arn):
                aws.call(lambda: aws.sns.unsubscribe(SubscriptionArn=arn))
    return "gone"


@contextmanager
def _ignoring(*codes: str) -> Iterator[None]:
    """Ignore errors with these codes, which mean that there is nothing to remove."""
    try:
        yield
    except ClientError as error:
        if code(error) not in codes:
            raise


def _configure(
    setting: Setting[T],
    bucket: str,
    change: Callable[[T], T],
    effects: Effects,
    *passing: Passing,
) -> str:
    """Read a setting, merge our change, and put the result immediately if it differs."""
    before = setting.read(effects.at(bucket))
    after = change(before)
    if after == before:
        return _SAME
    setting.write(effects.at(bucket), after, *passing)
    return "set"


def _create_bucket(step: model.CreateBucket, effects: Effects) -> str:
    """Create the bucket with its tags; with an older boto3, tag it right after the creation.

    Raises Refused if S3 refuses the name or the bucket has another stack's tag.
    """
    aws, stack, bucket = effects.aws, effects.stack, step.bucket
    configuration: dict[str, object] = {}
    if stack.region != "us-east-1":  # S3 refuses us-east-1 as a location constraint
        configuration["LocationConstraint"] = stack.region
    if supports(aws, "Tags"):
        configuration["Tags"] = [{"Key": k, "Value": v} for k, v in step.tags.items()]
    given: dict[str, object] = {"Bucket": bucket, "ObjectOwnership": "BucketOwnerEnforced"}
    if configuration:
        given["CreateBucketConfiguration"] = configuration
    if bucket.endswith("-an"):
        given["BucketNamespace"] = "account-regional"
    try:
        aws.call(lambda: aws.s3.create_bucket(**cast("CreateBucketRequestTypeDef", given)))
    except ClientError as error:
        _explain_refused(error, bucket)
    effects.made.add(bucket)
    tags = TAGS.read(effects.at(bucket))
    if tags and tags.get(BUCKET_TAG) != stack.tag:  # in us-east-1, creating it again succeeds
        raise _appeared(bucket)
    if BUCKET_TAG not in tags:
        TAGS.write(effects.at(bucket), step.tags)
    return "made"


def _explain_refused(error: ClientError, bucket: str) -> None:
    """Return if an earlier try created the bucket; otherwise raise Refused or the error."""
    if code(error) == "BucketAlreadyOwnedByYou" and is_own_bucket_name(bucket):
        return
    if code(error) in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
        raise _appeared(bucket) from error
    if bucket.endswith("-an") and not denied(error):
        raise Refused(
            f"S3 refused a bucket in this account's regional namespace ({code(error)}).",
            "Create a bucket yourself and name it in LogBucketName.",
        ) from error
    raise error


def _appeared(bucket: str) -> Refused:
    return Refused(
        f"Bucket {bucket} appeared before the stack could create it.",
        "If it is yours, run the stack again. Otherwise, choose another LogBucketName.",
    )


def _edit_policy(step: model.EditPolicy, effects: Effects) -> str:
    """Read the policy, apply the edit, and put the result immediately if it differs.

    Raises Overtaken if a later event of this stack was handled. If S3 refuses a removal, this
    reports the statements that stay, or raises Refused if these still let the vendor read.
    """
    bucket, stack, edit = step.bucket, effects.stack, step.edit
    before = None
    with _ignoring(*([] if edit.put else ABSENT)):
        before = effects.policy(bucket)
    mine = [e for e in registrations(before, bucket, stack) if e.stack == stack.tag]
    if any(each.time > effects.time for each in mine):
        raise Overtaken.by_later_event()
    after = edit.applied(before)
    if after == before:
        return _SAME
    if edit.put:
        check_policy(after, bucket)
    effects.shared |= bucket not in effects.made
    effects.forget(bucket)
    try:
        POLICY.write(effects.at(bucket), after)
    except ClientError as error:
        if edit.put and "Invalid principal" in message(error):
            named = {*re.findall(r'"(arn:[^"]*:iam::[^"]*)', after or "")}
            raise Refused(
                f"S3 does not accept the policy of bucket {bucket}: {message(error).rstrip('.')}.",
                "Correct DataTheoremAccountId, or remove the principal that does not exist"
                f" ({', '.join(sorted(named))}), then run the stack again.",
                bucket,
            ) from error
        if edit.put or not (denied(error) or code(error) == "MalformedPolicy"):
            raise
        why = f"cannot be changed ({dead_principal(after) or message(error)})"
        there = sids(before)
        left = ", ".join(sorted((there - sids(after)) | (there & edit.disarm)))
        readers = {e.vendor for e in mine if e.sid in edit.drop | edit.disarm} - {stack.account}
        if readers:
            raise Refused(
                f"The policy of bucket {bucket} {why}, so account {', '.join(readers)} may still"
                " read there.",
                f"Remove the statement {left} from it, or let the function's role change it, then"
                " delete the stack again.",
            ) from error
        text = f"which lets Data Theorem read nothing, in the policy of bucket {bucket}: it {why}"
        return effects.keep(step, f"statement {left}, {text}")
    if edit.put or bucket in effects.put:
        effects.put[bucket] = after
    return "edited"


def _edit_notifications(step: model.EditNotifications, effects: Effects) -> str:
    """Add our entries to the current notifications, or remove them.

    Does not remove an entry that another stack needs. A removal skips S3's validation of
    destinations, because a foreign destination that no longer exists would make the call fail.
    """
    bucket, edit = step.bucket, step.edit
    if edit.drop:
        claimed = {each.location_digest for each in effects.others(bucket)}
        drop = (e for e in edit.drop if notifications.location_digest(e) not in claimed)
        edit = replace(edit, drop=frozenset(drop))

    def merged(before: Configuration) -> Configuration:
        after = edit.applied(before)
        effects.shared |= after != before and bucket not in effects.made
        return after

    setting = NOTIFICATIONS if edit.put else NOTIFICATIONS_UNCHECKED
    # S3 does not see our new topic's policy at once; errors for other destinations are permanent.
    unsound = f"Unable to validate [^:]*($|: {effects.stack.topic_arn(bucket)}:)"
    try:
        return _configure(setting, bucket, merged, effects, Passing("InvalidArgument", unsound))
    except ClientError as error:
        if code(error) in ABSENT and not edit.put:
            return "gone with its bucket"
        if code(error) == "InvalidArgument" and edit.put:
            raise Refused(
                f"S3 does not accept the notifications of bucket {bucket}:"
                f" {message(error).rstrip('.')}.",
                "Remove each one whose destination is gone or refuses S3, then run the stack"
                " again.",
                bucket,
            ) from error
        raise


def _delete_bucket(step: model.DeleteBucket, effects: Effects) -> str:
    """Delete a bucket that is ours and unused, if it is empty.

    If the bucket is not empty or may not be deleted, tag it and report that it stays.
    """
    bucket, at = step.bucket, effects.at(step.bucket)
    try:
        if not is_own_bucket_name(bucket) and BUCKET_TAG not in TAGS.read(at):
            return "kept, since it is not ours"
        at.call(lambda s3, at: s3.delete_bucket(**at))
    except ClientError as error:
        if denied(error):
            why = f"may not be deleted ({message(error)}; aws s3 rb s3://{bucket})"
        elif code(error) == "BucketNotEmpty":
            why = "holds logs or earlier versions of objects"
        else:
            raise
        _label(bucket, why, effects)
        return effects.keep(step, f"bucket {bucket}, which {why}")
    effects.forget(bucket)
    effects.put.pop(bucket, None)
    effects.made.discard(bucket)
    effects.gone.add(bucket)
    return "gone"


def _label(bucket: str, why: str, effects: Effects) -> None:
    """Tag a bucket that stays with a list of what the stack has left, unless S3 refuses the tag."""
    left = [why, *(each.partition(",")[0] for each in effects.kept)]
    text = re.sub(r"[^\w +\-=.:/@]", "", " - ".join(left))[:256]
    with suppress(ClientError):
        _configure(TAGS, bucket, lambda tags: {**tags, LEFT_TAG: text}, effects)


def _ensure_topic(step: model.EnsureTopic, effects: Effects) -> str:
    """Create the topic with its policy. Repeatable.

    A topic that exists with another delivery policy keeps it. If its policy or tags
    differ, this reports the topic if the stack already used the bucket, and otherwise raises
    Refused.
    """
    topic, sns = step.topic, effects.aws.sns
    request: dict[str, object] = {"Name": topic.rpartition(":")[2]}
    if step.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in step.tags.items()]
    attributes = {"Policy": topic_policy(step.bucket, effects.stack)}
    for retries in ({"DeliveryPolicy": RETRIES}, {}):
        request["Attributes"] = attributes | retries
        try:
            effects.aws.call(lambda: sns.create_topic(**cast("CreateTopicInputTypeDef", request)))
            return "ensured"
        except ClientError as error:
            if "already exists with different" not in message(error):
                raise
    why = tampered(topic, step.bucket)
    if not step.before:
        raise why
    return effects.keep(step, str(why), harmless=False)


def _subscribe(step: model.Subscribe, effects: Effects) -> str:
    """Subscribe the endpoint; if it is already subscribed, AWS returns that subscription.

    Records the subscription. Raises Refused if a subscription with other attributes exists.
    """
    aws, endpoint = effects.aws, step.endpoint
    attributes = {}
    if step.filter_policy is not None:
        attributes = {"FilterPolicy": step.filter_policy, "FilterPolicyScope": "MessageBody"}
    try:
        answer = aws.call(
            lambda: aws.sns.subscribe(
                TopicArn=step.topic,
                Protocol=endpoint.protocol,
                Endpoint=endpoint.address,
                Attributes=attributes,
            ),
            _NEW_TOPIC_SPREADS,
        )
    except ClientError as error:
        if "already exists with different attributes" not in message(error):
            raise
        raise taken(step.topic, step.bucket) from error
    arn = answer["SubscriptionArn"]
    effects.subscriptions[step.topic, endpoint.address] = arn
    return "subscribed" if arn.startswith("arn:") else "awaits confirmation"


def _set_filter(step: model.SetFilter, effects: Effects) -> str:
    sns = effects.aws.sns
    effects.aws.call(
        lambda: sns.set_subscription_attributes(
            SubscriptionArn=step.subscription,
            AttributeName="FilterPolicy",
            AttributeValue=step.filter_policy,
        )
    )
    return "set"


def _set_logging(step: model.SetLogging, effects: Effects) -> str:
    """Change an ALB's access-log attributes, unless they have changed since we looked.

    Does not turn off logging that another stack needs.
    """
    aws, arn, to = effects.aws, step.load_balancer, step.to
    effects.answered.pop(arn, None)
    if not to.enabled and effects.needed(step):
        return _NEEDED
    found = read_load_balancer(aws, arn)
    if found is None:
        return "the load balancer is gone"
    if found.logging == to:
        return _SAME
    if found.logging != step.was:
        return "changed by somebody else since"
    attributes = [("enabled", str(to.enabled).lower()), ("prefix", to.prefix)]
    if to.bucket:  # ELB refuses an empty name
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
        effects.answered[arn] = model.LoadBalancer(arn, to)
    return "logging is on" if to.enabled else "logging is off"
