"""Carrying out the steps that change buckets."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from . import notifications, policy
from .aws import TOPIC_SPREADS, code, denied, forbidden, message
from .buckets import ABSENT, read_lifecycle, read_notifications, read_tags, supports
from .documents import Json, Statement, parsed, same_statement, statements
from .effects import Effects
from .errors import Overtaken, Refused
from .marks import BUCKET_TAG, Stack, is_own_bucket_name
from .plan import RETENTION_RULE
from .register import registrations
from .steps import (
    CreateBucket,
    DeleteBucket,
    DeleteTestFile,
    EditNotifications,
    EditPolicy,
    Guard,
    SecureBucket,
    SetRetention,
    SetTags,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import (
        CreateBucketRequestTypeDef,
        LifecycleRuleUnionTypeDef,
        NotificationConfigurationTypeDef,
    )


def create(step: CreateBucket, effects: Effects) -> str:
    """Make the bucket; its tags are set with it where boto3 can, else right after it."""
    aws, stack = effects.aws, effects.stack
    tags = [{"Key": key, "Value": value} for key, value in step.tags.items()]
    configuration: dict[str, object] = {}
    if stack.region != "us-east-1":  # which S3 does not accept by name
        configuration["LocationConstraint"] = stack.region
    if supports(aws, "Tags"):
        configuration["Tags"] = tags
    given: dict[str, object] = {"Bucket": step.bucket, "ObjectOwnership": "BucketOwnerEnforced"}
    if configuration:
        given["CreateBucketConfiguration"] = configuration
    if step.bucket.endswith("-an"):
        given["BucketNamespace"] = "account-regional"
    effects.journal.append(DeleteBucket(step.bucket, Guard(step.bucket), stack.tag))
    try:
        aws.call(lambda: aws.s3.create_bucket(**cast("CreateBucketRequestTypeDef", given)))
    except ClientError as error:
        _explain_refused(error, step.bucket)
    else:
        # Only there does S3 answer in the same way for a bucket that is there already.
        if stack.region != "us-east-1" and is_own_bucket_name(step.bucket):
            effects.fresh[step.bucket] = aws.clock()
    effects.made.add(step.bucket)
    if is_own_bucket_name(step.bucket) and "Tags" in configuration:
        return "made"
    tags_now = read_tags(aws, step.bucket, stack.account, *effects.spreads(step.bucket))
    if tags_now and tags_now.get(BUCKET_TAG) != stack.tag:  # us-east-1 "makes" one that is there
        raise _appeared(step.bucket)
    if BUCKET_TAG not in tags_now:
        _put_tags(step.bucket, step.tags, effects)
    return "made"


def _explain_refused(error: ClientError, bucket: str) -> None:
    """Raise Refused for a bucket that cannot be made, unless we made it a moment ago."""
    if code(error) == "BucketAlreadyOwnedByYou" and is_own_bucket_name(bucket):
        return
    if code(error) in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
        raise _appeared(bucket) from error
    if bucket.endswith("-an") and not denied(error):
        raise Refused(
            f"S3 made no bucket in this account's regional namespace ({code(error)}).",
            "Create a bucket yourself and name it in LogBucketName.",
        ) from error
    raise error


def _appeared(bucket: str) -> Refused:
    return Refused(
        f"Bucket {bucket} appeared while it was to be made.",
        "Run the stack again, or choose another LogBucketName if it is not yours.",
    )


def secure(step: SecureBucket, effects: Effects) -> str:
    """Set what S3 gives to new buckets since 2023, where it is not so."""
    aws, owner = effects.aws, effects.stack.account
    aws.call(
        lambda: aws.s3.put_public_access_block(
            Bucket=step.bucket,
            ExpectedBucketOwner=owner,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        ),
        *effects.spreads(step.bucket),
    )
    aws.call(
        lambda: aws.s3.put_bucket_encryption(
            Bucket=step.bucket,
            ExpectedBucketOwner=owner,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        ),
        *effects.spreads(step.bucket),
    )
    aws.call(
        lambda: aws.s3.put_bucket_ownership_controls(
            Bucket=step.bucket,
            ExpectedBucketOwner=owner,
            OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        ),
        *effects.spreads(step.bucket),
    )
    return "secured"


def set_tags(step: SetTags, effects: Effects) -> str:
    before = read_tags(effects.aws, step.bucket, effects.stack.account)
    after = {**{key: before[key] for key in before if key not in step.drop}, **step.tags}
    if before == after:
        return "already so"
    effects.journal.append(SetTags(step.bucket, before, frozenset(after.keys() - before.keys())))
    _put_tags(step.bucket, after, effects)
    return "tagged"


def _put_tags(bucket: str, tags: Mapping[str, str], effects: Effects) -> None:
    aws = effects.aws
    aws.call(
        lambda: aws.s3.put_bucket_tagging(
            Bucket=bucket,
            ExpectedBucketOwner=effects.stack.account,
            Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]},
        ),
        *effects.spreads(bucket),
    )


def set_retention(step: SetRetention, effects: Effects) -> str:
    """Put our own lifecycle rule among those that are there."""
    aws = effects.aws
    before = (
        ()
        if effects.empty(step.bucket)
        else read_lifecycle(aws, step.bucket, effects.stack.account)
    )
    rule: dict[str, Json] = {
        "ID": RETENTION_RULE,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"Days": step.days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }
    for each in before:
        expiration = each.get("Expiration")
        days = expiration.get("Days") if isinstance(expiration, dict) else None
        if each.get("ID") == RETENTION_RULE and isinstance(days, int):
            effects.journal.append(SetRetention(step.bucket, days))
    rules = [*(each for each in before if each.get("ID") != RETENTION_RULE), rule]
    aws.call(
        lambda: aws.s3.put_bucket_lifecycle_configuration(
            Bucket=step.bucket,
            ExpectedBucketOwner=effects.stack.account,
            LifecycleConfiguration={"Rules": cast("list[LifecycleRuleUnionTypeDef]", rules)},
        ),
        *effects.spreads(step.bucket),
    )
    return "set"


def edit_policy(step: EditPolicy, effects: Effects) -> str:
    """Merge our statements into the policy as it is now; the put follows its read at once."""
    aws, bucket = effects.aws, step.bucket
    try:
        before = None if effects.empty(bucket) else effects.policy(bucket)
    except ClientError as error:
        if code(error) in ABSENT and not step.edit.put:
            return "gone with its bucket"
        raise
    if _later(before, bucket, effects):
        if effects.undoing:
            return "left to a later event"
        raise Overtaken.by_later_event()
    after = step.edit.applied(before)
    if after == before:
        return "already so"
    if step.edit.put:
        policy.check(after, bucket)
    effects.journal.append(EditPolicy(bucket, _inverse(before, after)))
    effects.journal += _test_files_to_come(bucket, before, after, effects.stack)
    effects.put[bucket] = after
    effects.shared |= bucket not in effects.made
    effects.forget(bucket)
    owner = effects.stack.account
    try:
        if after is None:
            aws.call(lambda: aws.s3.delete_bucket_policy(Bucket=bucket, ExpectedBucketOwner=owner))
        else:
            document = after
            aws.call(
                lambda: aws.s3.put_bucket_policy(
                    Bucket=bucket, ExpectedBucketOwner=owner, Policy=document
                ),
                *effects.spreads(bucket),
            )
    except ClientError as error:
        if step.edit.put or not _hopeless(error, "MalformedPolicy"):
            raise
        why = (policy.dead_principal(after) if after else None) or message(error)
        effects.hopeless.append(step)
        effects.kept.append(
            f"the statements {', '.join(sorted(step.edit.drop))} in the policy of bucket {bucket},"
            f" which cannot be changed ({why})"
        )
        return "cannot be put"
    return "edited"


def _later(document: str | None, bucket: str, effects: Effects) -> bool:
    """Tell whether a later event for this stack has registered something in the bucket."""
    return any(
        each.stack == effects.stack.tag and each.time > effects.time
        for each in registrations(document, bucket, effects.stack)
    )


def _hopeless(error: ClientError, *codes: str) -> bool:
    """Tell whether no repetition helps: what is there forbids it, not a right that we lack."""
    return code(error) in codes or forbidden(error)


def _test_files_to_come(
    bucket: str, before: str | None, after: str | None, stack: Stack
) -> list[DeleteTestFile]:
    """Return how to undo what ELB will write to locations of ours that are new."""
    known = {each.location for each in registrations(before, bucket, stack)}
    return [
        DeleteTestFile(each.location, Guard(bucket, each.location))
        for each in registrations(after, bucket, stack)
        if each.location.mark and each.location not in known
    ]


def _inverse(before: str | None, after: str | None) -> policy.Edit:
    old, new = _by_sid(before), _by_sid(after)
    put = [
        each for sid, each in old.items() if sid not in new or not same_statement(each, new[sid])
    ]
    return policy.Edit(tuple(put), frozenset(new.keys() - old.keys()))


def _by_sid(document: str | None) -> dict[str, Statement]:
    """Return the statements that have a Sid; those without are never ours."""
    found = statements(parsed(document)) if document else ()
    return {str(each["Sid"]): each for each in found if each.get("Sid")}


def edit_notifications(step: EditNotifications, effects: Effects) -> str:
    """Merge our entries into the notifications as they are now.

    Where entries only go, destinations are not validated: a dead one of somebody else's must not
    keep ours in place.
    """
    aws, bucket, owner = effects.aws, step.bucket, effects.stack.account
    wanted = {str(each["Id"]) for each in step.edit.put}
    drop = frozenset(
        each for each in step.edit.drop - wanted if not _claimed(each, bucket, effects)
    )
    edit = notifications.Edit(step.edit.put, drop)
    try:
        before = (
            {}
            if effects.empty(bucket)
            else read_notifications(aws, bucket, owner, *effects.spreads(bucket))
        )
    except ClientError as error:
        if code(error) in ABSENT and not wanted:
            return "gone with its bucket"
        raise
    after = edit.applied(before)
    if after == before:
        return "already so"
    ours, left = notifications.own(before), notifications.own(after)
    inverse = notifications.Edit(
        tuple(each for key, each in ours.items() if left.get(key) != each),
        frozenset(left.keys() - ours.keys()),
    )
    effects.journal.append(EditNotifications(bucket, inverse))
    effects.notified[bucket] = frozenset(wanted)
    effects.shared |= bucket not in effects.made
    try:
        aws.call(
            lambda: aws.s3.put_bucket_notification_configuration(
                Bucket=bucket,
                ExpectedBucketOwner=owner,
                NotificationConfiguration=cast("NotificationConfigurationTypeDef", after),
                SkipDestinationValidation=effects.undoing or not wanted,
            ),
            *effects.spreads(bucket),
            TOPIC_SPREADS,
        )
    except ClientError as error:
        if wanted and code(error) == TOPIC_SPREADS.code:
            raise notifications.unsound(bucket, after, message(error)) from error
        if wanted or not _hopeless(error):
            raise
        effects.hopeless.append(step)
        effects.kept.append(
            f"the notifications {', '.join(sorted(drop))} of bucket {bucket}, which cannot be"
            f" changed ({message(error)})"
        )
        return "cannot be put"
    return "edited"


def _claimed(identifier: str, bucket: str, effects: Effects) -> bool:
    """Tell whether another stack's registration covers the location of a notification."""
    digest = notifications.location_digest(identifier)
    return any(each.location_digest == digest for each in effects.others(bucket))


def delete_test_file(step: DeleteTestFile, effects: Effects) -> str:
    aws, location = effects.aws, step.location
    if effects.guarded(step.guard):
        return "kept for another stack"
    try:
        aws.call(
            lambda: aws.s3.delete_object(
                Bucket=location.bucket,
                Key=location.test_file(effects.stack),
                ExpectedBucketOwner=effects.stack.account,
            )
        )
    except ClientError as error:
        if code(error) not in ABSENT:
            raise
    return "deleted"


def delete(step: DeleteBucket, effects: Effects) -> str:
    """Delete a bucket that is ours, and that nobody uses, if it is empty."""
    aws, bucket, owner = effects.aws, step.bucket, effects.stack.account
    try:
        if effects.guarded(step.guard):
            return "kept for another stack"
        if not is_own_bucket_name(bucket):
            maker = read_tags(aws, bucket, owner).get(BUCKET_TAG)
            if maker is None or step.maker not in (None, maker):
                return "kept, since it is not ours"
        aws.call(lambda: aws.s3.delete_bucket(Bucket=bucket, ExpectedBucketOwner=owner))
    except ClientError as error:
        if code(error) in ABSENT:
            return "already gone"
        if code(error) == "BucketNotEmpty":
            effects.kept.append(f"bucket {bucket}, which holds logs")
            effects.hopeless.append(step)
            return "kept, since it is not empty"
        if denied(error) and not is_own_bucket_name(bucket) and bucket != effects.named:
            effects.kept.append(
                f"bucket {bucket}, which is no longer this stack's LogBucketName, so that its role"
                f" may not delete it (aws s3 rb s3://{bucket})"
            )
            effects.hopeless.append(step)
            return "may not be deleted by this role"
        raise
    effects.forget(bucket)
    effects.put.pop(bucket, None)
    effects.made.discard(bucket)
    return "deleted"
