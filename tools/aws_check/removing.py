"""Remove what a run made, and nothing else: by exact names of its ledger that carry its tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from aws_check.plan import REMOVAL, TAG, Kind, Thing
from aws_check.run import MINUTES, Run, absent, outputs
from dt_logs_cfn import aws
from dt_logs_cfn.errors import DtLogsError, OperatingError

Tags = Mapping[str, str]
# Something still uses it, or came meanwhile: the same call succeeds a little later.
_LATER = frozenset(("BucketNotEmpty", "DependencyViolation", "ResourceInUse"))


def remove(run: Run) -> list[str]:
    """Remove all that is left of a run; return what could not be removed, and why. Repeatable."""
    failures: list[str] = []

    def attempt(step: Callable[[Run, Thing], None], *kinds: Kind) -> None:
        for thing in [each for each in run.ledger.left() if each.kind in kinds]:
            try:
                with aws.errors():
                    step(run, thing)
            except DtLogsError as error:
                failures.append(str(error))
                run.operator.tell(f"LEFT: {error}")

    attempt(_settle, "stack")
    for kind in REMOVAL:
        attempt(_remove, kind)
    return failures


def _settle(run: Run, thing: Thing) -> None:
    """Wait for a stack at work, and record what it made under names of its own."""

    def at_rest() -> dict[str, Any] | None:
        stack = run.stack(thing.name) or {}
        status = stack.get("StackStatus", "REVIEW_IN_PROGRESS")
        busy = status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
        return None if busy else stack

    record_made(run, run.until(at_rest, 40 * MINUTES, f"The change of stack '{thing.name}'"))


def record_made(run: Run, stack: dict[str, Any]) -> None:
    """Record the buckets and topics that a stack made: those that carry the run's tag."""
    found = outputs(stack)
    listed = [found.get(key, "").split(",") for key in ("LogBuckets", "TopicArns")]
    buckets, topics = ({each.strip() for each in values} for values in listed)
    things = [Thing("bucket", each) for each in {*buckets, *_logged_to(run)} - {"", "none"}]
    things += [Thing("topic", each.rpartition(":")[2]) for each in topics if each[:4] == "arn:"]
    for thing in things:
        if (_KINDS[thing.kind][0](run, thing.name) or {}).get(TAG) == run.names.run:
            run.ledger.making(thing)


def _logged_to(run: Run) -> list[str]:
    """Return the bucket that the run's load balancer logs to: a failed stack has no outputs."""
    found = _balancer(run, run.names.base)
    if found is None:
        return []
    read = run.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=found)
    return [e["Value"] for e in read["Attributes"] if e["Key"] == "access_logs.s3.bucket"]


def _remove(run: Run, thing: Thing) -> None:
    """Delete a thing until it is gone. Raises OperatingError, botocore's errors."""
    read, delete = _KINDS[thing.kind]
    tags = read(run, thing.name)
    if tags is not None and tags.get(TAG) != run.names.run:
        raise OperatingError(
            f"{thing.kind} '{thing.name}' does not carry the tag {TAG}={run.names.run}.",
            "It was left alone. Look at it, and remove it yourself if it is not needed.",
        )
    if thing.kind == "service role stack" and any(e.kind == "stack" for e in run.ledger.left()):
        raise OperatingError(
            f"Stack '{thing.name}' stays, since a stack that is left needs its role.",
            "Run this with --sweep once that stack is gone.",
        )

    def gone() -> bool | None:
        try:
            absent(lambda: delete(run, thing.name))
        except ClientError as error:
            if aws.code(error) not in _LATER:
                raise
        return True if read(run, thing.name) is None else None

    if tags is not None:
        run.operator.tell(f"removing {thing.kind} {thing.name}")
        run.until(gone, 30 * MINUTES, f"Removing {thing.kind} '{thing.name}'")
    run.ledger.removed(thing)


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in tags}


def _stack_tags(run: Run, name: str) -> Tags | None:
    stack = run.stack(name)
    if stack is not None and stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return {TAG: run.names.run}  # a change set that was not run: it holds nothing
    return None if stack is None else _pairs(stack.get("Tags", []))


def _balancer(run: Run, name: str) -> str | None:
    describe = run.client("elbv2").describe_load_balancers
    found = absent(lambda: describe(Names=[name])["LoadBalancers"])
    return found[0]["LoadBalancerArn"] if found else None


def _balancer_tags(run: Run, name: str) -> Tags | None:
    arn = _balancer(run, name)
    if arn is None:
        return None
    (found,) = run.client("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"]
    return _pairs(found["Tags"])


def _topic_tags(run: Run, name: str) -> Tags | None:
    arn = run.arn("sns", name)
    read = run.client("sns").list_tags_for_resource
    return absent(lambda: _pairs(read(ResourceArn=arn)["Tags"]))


def _bucket_tags(run: Run, name: str) -> Tags | None:
    owner = {"Bucket": name, "ExpectedBucketOwner": run.account}
    try:
        return absent(lambda: _pairs(run.client("s3").get_bucket_tagging(**owner)["TagSet"]))
    except ClientError as error:
        if aws.code(error) != "NoSuchTagSet":
            raise
        return {}


def _delete_bucket(run: Run, name: str) -> None:
    """Empty and delete a bucket; no bucket of a run is versioned."""
    s3, owner = run.client("s3"), {"Bucket": name, "ExpectedBucketOwner": run.account}
    for page in s3.get_paginator("list_objects_v2").paginate(**owner):
        for each in page.get("Contents", []):
            s3.delete_object(**owner, Key=each["Key"])
    s3.delete_bucket(**owner)


def _queue_tags(run: Run, name: str) -> Tags | None:
    sqs = run.client("sqs")
    return absent(
        lambda: sqs.list_queue_tags(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"]).get(
            "Tags", {}
        )
    )


def _group(run: Run, name: str) -> dict[str, Any] | None:
    by_name = [{"Name": "group-name", "Values": [name]}]
    found = run.client("ec2").describe_security_groups(Filters=by_name)["SecurityGroups"]
    return found[0] if found else None


def _group_tags(run: Run, name: str) -> Tags | None:
    group = _group(run, name)
    return None if group is None else _pairs(group.get("Tags", []))


_STACK = (
    _stack_tags,
    lambda run, name: run.client("cloudformation").delete_stack(StackName=name),
)
# How to read a thing's tags, None if it is gone, and how to delete it.
_KINDS: Mapping[Kind, tuple[Callable[[Run, str], Tags | None], Callable[[Run, str], object]]] = {
    "stack": _STACK,
    "service role stack": _STACK,
    "load balancer": (
        _balancer_tags,
        lambda run, name: run.client("elbv2").delete_load_balancer(
            LoadBalancerArn=_balancer(run, name)
        ),
    ),
    "topic": (
        _topic_tags,
        lambda run, name: run.client("sns").delete_topic(TopicArn=run.arn("sns", name)),
    ),
    "bucket": (_bucket_tags, _delete_bucket),
    "queue": (
        _queue_tags,
        lambda run, name: run.client("sqs").delete_queue(
            QueueUrl=run.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
        ),
    ),
    "security group": (
        _group_tags,
        lambda run, name: run.client("ec2").delete_security_group(
            GroupId=(_group(run, name) or {})["GroupId"]
        ),
    ),
}
