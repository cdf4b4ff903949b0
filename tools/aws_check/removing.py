"""Remove only what a run created: resources that its ledger names and that have its tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from aws_check.plan import KINDS, TAG, Thing
from aws_check.run import MINUTES, Run, absent, outputs
from dt_logs_cfn import aws
from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_handler.aws import code

# Errors while a resource is in use or not empty; the same call may succeed a little later.
_LATER = frozenset(("BucketNotEmpty", "DependencyViolation", "ResourceInUse"))


def remove(run: Run) -> list[str]:
    """Remove a run's remaining resources; return failures as strings. The call can be repeated."""
    failures: list[str] = []
    for step, kind in ((_settle, "stack"), *((_remove, kind) for kind in KINDS)):
        for thing in [each for each in run.ledger.left() if each.kind == kind]:
            try:
                with aws.errors():
                    step(run, thing)
            except DtLogsError as error:
                failures.append(str(error))
                run.operator.tell(f"LEFT: {error}")
    return failures


def _settle(run: Run, thing: Thing) -> None:
    """Wait until a stack is at rest, and record the resources that it created and named itself."""

    def at_rest() -> dict[str, Any] | None:
        stack = run.stack(thing.name) or {"StackStatus": "REVIEW_IN_PROGRESS"}
        rests = stack["StackStatus"] == "REVIEW_IN_PROGRESS"  # not executed yet
        return stack if rests or not stack["StackStatus"].endswith("_IN_PROGRESS") else None

    record_made(run, run.until(at_rest, 40 * MINUTES, f"The change of stack '{thing.name}'"))


def record_made(run: Run, stack: dict[str, Any]) -> None:
    """Record a stack's buckets and topics, and the bucket that the run's load balancer names.

    Only resources with the run's tag are recorded.
    """
    buckets, topics = (
        {each.strip() for each in outputs(stack).get(key, "none").split(",")} - {"none"}
        for key in ("LogBuckets", "TopicArns")
    )
    if balancer := _balancer(run, run.names.base):  # a failed stack does not have outputs
        buckets |= {run.logging(balancer)["bucket"]} - {""}
    things = [Thing("bucket", each) for each in buckets]
    things += [Thing("topic", each.rpartition(":")[2]) for each in topics]
    for thing in things:
        if (_tags(run, thing) or {}).get(TAG) == run.names.run:
            run.ledger.making(thing)


def _remove(run: Run, thing: Thing) -> None:
    """Delete a resource with the run's tag, wait until it is gone, and record that.

    Raises OperatingError and botocore's errors.
    """
    tags = _tags(run, thing)
    if tags is not None and tags.get(TAG) != run.names.run:
        raise OperatingError(
            f"{thing.kind} '{thing.name}' does not carry the tag {TAG}={run.names.run}.",
            "It was left alone. Look at it, and remove it yourself if it is not needed.",
        )
    if thing.kind == "service role stack" and any(e.kind == "stack" for e in run.ledger.left()):
        raise OperatingError(
            f"Stack '{thing.name}' stays, because a remaining stack needs its role.",
            "Run this with --sweep once that stack is gone.",
        )

    def gone() -> bool | None:
        try:
            absent(lambda: _DELETE[thing.kind](run, thing.name))
        except ClientError as error:
            if code(error) not in _LATER:
                raise
        return True if _tags(run, thing) is None else None

    if tags is not None:
        run.operator.tell(f"removing {thing.kind} {thing.name}")
        run.until(gone, 30 * MINUTES, f"Removing {thing.kind} '{thing.name}'")
    run.ledger.removed(thing)


def _tags(run: Run, thing: Thing) -> Mapping[str, str] | None:
    """Return a resource's tags, or None if it does not exist."""
    try:
        found = absent(lambda: _READ[thing.kind](run, thing.name))
    except ClientError as error:
        if code(error) != "NoSuchTagSet":
            raise
        return {}
    if not isinstance(found, list):
        return found
    return {each["Key"]: each["Value"] for each in found}


def _stack(run: Run, name: str) -> Any:
    stack = run.stack(name)
    if stack is not None and stack["StackStatus"] == "REVIEW_IN_PROGRESS":
        return {TAG: run.names.run}  # nothing is created yet, and AWS may not return the tags
    return stack and stack.get("Tags", [])


def _balancer(run: Run, name: str) -> str | None:
    describe = run.client("elbv2").describe_load_balancers
    found = absent(lambda: describe(Names=[name])["LoadBalancers"])
    return found[0]["LoadBalancerArn"] if found else None


def _balancer_tags(run: Run, name: str) -> Any:
    arn = _balancer(run, name)
    read = run.client("elbv2").describe_tags
    return arn and read(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]


def _bucket(run: Run, name: str) -> dict[str, str]:
    return {"Bucket": name, "ExpectedBucketOwner": run.account}


def _delete_bucket(run: Run, name: str) -> None:
    """Empty and delete a bucket; a run's buckets are not versioned."""
    s3, where = run.client("s3"), _bucket(run, name)
    for page in s3.get_paginator("list_objects_v2").paginate(**where):
        for each in page.get("Contents", []):
            s3.delete_object(**where, Key=each["Key"])
    s3.delete_bucket(**where)


def _queue(run: Run, name: str) -> dict[str, str]:
    return {"QueueUrl": run.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]}


def _group(run: Run, name: str) -> Any:
    by_name = [{"Name": "group-name", "Values": [name]}]
    found = run.client("ec2").describe_security_groups(Filters=by_name)["SecurityGroups"]
    return found[0] if found else None


def _group_tags(run: Run, name: str) -> Any:
    group = _group(run, name)
    return group and group.get("Tags", [])


def _delete_group(run: Run, name: str) -> None:
    run.client("ec2").delete_security_group(GroupId=_group(run, name)["GroupId"])


def _delete_stack(run: Run, name: str) -> None:
    run.client("cloudformation").delete_stack(StackName=name)


def _delete_balancer(run: Run, name: str) -> None:
    run.client("elbv2").delete_load_balancer(LoadBalancerArn=_balancer(run, name))


_READ: Mapping[str, Callable[[Run, str], Any]] = {
    "stack": _stack,
    "service role stack": _stack,
    "load balancer": _balancer_tags,
    "topic": lambda run, name: run.client("sns").list_tags_for_resource(
        ResourceArn=run.arn("sns", name)
    )["Tags"],
    "bucket": lambda run, name: run.client("s3").get_bucket_tagging(**_bucket(run, name))["TagSet"],
    "queue": lambda run, name: (
        run.client("sqs").list_queue_tags(**_queue(run, name)).get("Tags", {})
    ),
    "security group": _group_tags,
}
_DELETE: Mapping[str, Callable[[Run, str], object]] = {
    "stack": _delete_stack,
    "service role stack": _delete_stack,
    "load balancer": _delete_balancer,
    "topic": lambda run, name: run.client("sns").delete_topic(TopicArn=run.arn("sns", name)),
    "bucket": _delete_bucket,
    "queue": lambda run, name: run.client("sqs").delete_queue(**_queue(run, name)),
    "security group": _delete_group,
}
