"""A customer's actions on AWS: create, read a log, update, delete; adopt a bucket."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from aws_check.making import Made, make_bucket
from aws_check.plan import TAG, Thing
from aws_check.removing import record_made
from aws_check.run import Run, absent
from dt_logs_cfn.errors import OperatingError
from dt_logs_handler.aws import denied

_PATH = "/dt-logs-check"
_LOG = re.compile(r".*/\d{12}_elasticloadbalancing_[a-z0-9-]+_app\..*\.log\.gz")
_SETTINGS = (
    *("bucket_policy", "bucket_notification_configuration", "bucket_lifecycle_configuration"),
    *("bucket_tagging", "bucket_encryption", "bucket_ownership_controls", "public_access_block"),
)
_POLICY, _NOTIFICATIONS, _LIFECYCLE = _SETTINGS[:3]
# A bucket's foreign settings: a lifecycle rule, and notifications below `audit/`.
_RULE = {"ID": "foreign", "Status": "Enabled", "Filter": {"Prefix": "old/"}}
_AUDIT = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "audit/"}]}}


@dataclass(frozen=True)
class Stage:
    """The resources that the scenes act on.

    `vendor` is the account that may read the logs; `reader` is its S3 client, or None without a
    profile. `get` requests a URL; `wait` is the longest time that a log may take, in seconds.
    """

    run: Run
    made: Made
    release: Path
    vendor: str
    reader: Any
    get: Callable[[str], None]
    wait: float


def fresh(stage: Stage) -> None:
    """Onboard a load balancer that does not log; let the vendor read a log; update; remove."""
    run, name, balancer = stage.run, stage.run.names.named("fresh"), stage.made.load_balancer
    found = _deployed(stage, name, "CREATE_COMPLETE", *_first(stage))
    bucket = run.logging(balancer)["bucket"]
    run.expect(run.logging(balancer)["enabled"] == "true", "The load balancer does not log.")
    run.expect(bucket in found.get("LogBuckets", ""), "LogBuckets does not name the bucket.")
    _read(stage, bucket, _announced(stage, bucket))
    _deployed(stage, name, "UPDATE_COMPLETE", "--parameter", "LogRetentionDays=7")
    rules = settings(run, bucket)[_LIFECYCLE]["Rules"]
    kept = {each.get("Expiration", {}).get("Days") for each in rules}
    run.expect(7 in kept, f"The update left a retention of {kept} days, not 7.")
    code, _ = run.command("status", "--stack", name)
    run.expect(code == 0, f"`status` ended with {code}, not 0.")
    _removed(stage, name)
    run.expect(run.logging(balancer)["enabled"] == "false", "The load balancer still logs.")
    policy = json.dumps(settings(run, bucket)[_POLICY])
    granted = stage.vendor != run.account and stage.vendor in policy
    run.expect(not granted, "The vendor may still read.")


def adopt(stage: Stage) -> None:
    """Onboard a load balancer that logs to a bucket with foreign settings; remove; compare."""
    run, name, balancer = stage.run, stage.run.names.named("adopt"), stage.made.load_balancer
    bucket = _foreign(stage)
    before, logging = settings(run, bucket), run.logging(balancer)
    _deployed(stage, name, "CREATE_COMPLETE", *_first(stage))
    during = settings(run, bucket)
    for kind in _SETTINGS[2:]:
        run.expect(during[kind] == before[kind], f"Adopting changed {kind}.")
    now, then = (json.loads(each[_POLICY]["Policy"])["Statement"] for each in (during, before))
    run.expect(all(each in now for each in then), "Adopting changed a foreign statement.")
    kept = before[_NOTIFICATIONS].items() <= during[_NOTIFICATIONS].items()
    run.expect(kept, "Adopting changed a foreign notification.")
    _removed(stage, name)
    run.expect(run.logging(balancer) == logging, "The load balancer's logging was changed.")
    after = settings(run, bucket)
    for kind in _SETTINGS:
        same = _parsed(after[kind]) == _parsed(before[kind])
        run.expect(same, f"Removing did not restore {kind}.")


def settings(run: Run, bucket: str) -> dict[str, Any]:
    """Return a bucket's settings from AWS; each read is in the transcript."""
    where = {"Bucket": bucket, "ExpectedBucketOwner": run.account}

    def read(kind: str) -> dict[str, Any]:
        found = absent(lambda: getattr(run.client("s3"), f"get_{kind}")(**where)) or {}
        return {key: value for key, value in found.items() if key != "ResponseMetadata"}

    return {kind: read(kind) for kind in _SETTINGS}


def _parsed(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "Policy": json.loads(found.get("Policy", "null"))}


def _first(stage: Stage) -> tuple[str, ...]:
    """Return the options of a stack's first deployment: only the run's load balancer, never `*`."""
    tag = f"{TAG}={stage.run.names.run}"
    return (
        *("--load-balancer", stage.made.load_balancer, "--role-arn", stage.made.role),
        *("--stack-name-prefix", stage.run.names.base),
        *("--parameter", f"DataTheoremAccountId={stage.vendor}"),
        *("--parameter", f"NotificationEndpoint={stage.made.queue}"),
        *("--parameter", f"ResourceTags={tag}", "--tag", tag),
    )


def _deployed(stage: Stage, name: str, status: str, *words: str) -> dict[str, str]:
    """Deploy a stack, and record what it created; return its outputs.

    Raises OperatingError unless the stack reaches `status`.
    """
    run, release = stage.run, ("--release", str(stage.release))
    code, found = run.make(
        Thing("stack", name),
        lambda: run.command("deploy", "--stack", name, *release, "--yes", *words),
    )
    if stack := run.stack(name):
        record_made(run, stack)
        _record_events(run, stack)
    got = found.get("stack", {}).get("status", "no status")
    if (code, got) != (0, status):
        raise OperatingError(
            f"`deploy` of '{name}' ended with {code} and '{got}', not {status}.",
            "Look at the stack's events in the transcript.",
        )
    return dict(found["outputs"])


def _removed(stage: Stage, name: str) -> None:
    stack = stage.run.stack(name)
    code, found = stage.run.command("remove", "--stack", name, "--yes")
    _record_events(stage.run, stack or {})
    stage.run.expect(code == 0 and found.get("clean"), f"`remove` of '{name}' is not clean.")


def _record_events(run: Run, stack: dict[str, Any]) -> None:
    """Read a stack's events, so that the transcript contains them."""
    pages = run.client("cloudformation").get_paginator("describe_stack_events")
    list(pages.paginate(StackName=stack["StackId"]))


def _announced(stage: Stage, bucket: str) -> str:
    """Send requests until a log file of the load balancer is announced; return its key."""
    stage.run.operator.tell("waiting for a log object; AWS writes one every 5 minutes")

    def look() -> str | None:
        stage.get(f"http://{stage.made.address}{_PATH}")
        found = [k for where, k in _messages(stage) if where == bucket and _LOG.fullmatch(k)]
        return found[0] if found else None

    return stage.run.until(look, stage.wait, "The announcement of a log object")


def _messages(stage: Stage) -> Iterator[tuple[str, str]]:
    """Take up to 10 messages from the queue; yield the bucket and key of each announced object."""
    sqs, queue = stage.run.client("sqs"), {"QueueUrl": stage.made.queue_url}
    got = sqs.receive_message(**queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    for message in got.get("Messages", []):
        sqs.delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])
        body = json.loads(message["Body"])
        event = json.loads(body["Message"]) if "Message" in body else body
        for each in (record["s3"] for record in event.get("Records", [])):
            yield each["bucket"]["name"], unquote_plus(each["object"]["key"])


def _read(stage: Stage, bucket: str, key: str) -> None:
    """Read a log file as the vendor, or as the owner if there is no vendor profile.

    Records a finding if the file lacks our request, or if the vendor can do more than read logs.
    """
    run, s3 = stage.run, stage.reader or stage.run.client("s3")
    text = gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).decode()
    run.expect(_PATH in text, "The log object does not contain our request.")
    fields = {len(re.findall(r'"[^"]*"|\S+', line)) for line in text.splitlines()}
    run.transcript.write({"log": key, "fields": sorted(fields)})
    if stage.reader is None:
        run.operator.tell("Read by the owner; with --vendor-profile another account reads it.")
        return
    test_file = f"{key.partition('/AWSLogs/')[0]}/AWSLogs/{run.account}/ELBAccessLogTestFile"
    overstep: dict[str, Callable[[], object]] = {
        "list the bucket": lambda: s3.list_objects_v2(Bucket=bucket),
        "read the bucket's policy": lambda: s3.get_bucket_policy(Bucket=bucket),
        "read another object": lambda: s3.get_object(Bucket=bucket, Key=test_file),
        "write an object": lambda: s3.put_object(Bucket=bucket, Key=f"{key}.copy", Body=b""),
        "delete the log object": lambda: s3.delete_object(Bucket=bucket, Key=key),
    }
    for what, attempt in overstep.items():
        run.expect(_denied(attempt), f"The vendor could {what}.")


def _denied(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except ClientError as error:
        return denied(error)
    return False


def _foreign(stage: Stage) -> str:
    """Create a bucket with foreign settings, and let the load balancer log there."""
    run, bucket = stage.run, stage.run.names.named("foreign")
    make_bucket(run, bucket)
    s3, where = run.client("s3"), {"Bucket": bucket, "ExpectedBucketOwner": run.account}
    arn = f"arn:{run.partition}:s3:::{bucket}"
    delivery = {
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{arn}/alb/AWSLogs/{run.account}/*",
    }
    secure = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Id": "foreign", "Statement": [delivery, secure]}
    s3.put_bucket_policy(**where, Policy=json.dumps(policy))
    rules = {"Rules": [{**_RULE, "Expiration": {"Days": 400}}]}
    s3.put_bucket_lifecycle_configuration(**where, LifecycleConfiguration=rules)
    audit = {"QueueArn": stage.made.queue, "Events": ["s3:ObjectCreated:*"], "Filter": _AUDIT}
    both = {"QueueConfigurations": [{"Id": "audit", **audit}], "EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(**where, NotificationConfiguration=both)
    logging = {"enabled": "true", "bucket": bucket, "prefix": "alb"}
    run.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=stage.made.load_balancer,
        Attributes=[{"Key": f"access_logs.s3.{k}", "Value": v} for k, v in logging.items()],
    )
    return bucket
