"""What a customer does, done on AWS: create, read a log, update, delete; adopt a bucket."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from aws_check.making import Made, make_bucket
from aws_check.plan import TAG, Thing
from aws_check.removing import record_made
from aws_check.run import Run, absent
from dt_logs_cfn import aws
from dt_logs_cfn.errors import OperatingError

_PATH = "/dt-logs-check"
_LOG = re.compile(r".*/\d{12}_elasticloadbalancing_[a-z0-9-]+_app\..*\.log\.gz")
_FOREIGN_PREFIX = "alb"


@dataclass(frozen=True)
class Stage:
    """What the scenes act on.

    `vendor` is the account that may read, `reader` its client of S3, None without a profile of it.
    `get` requests a URL; `wait` is how long a log may take, in seconds.
    """

    run: Run
    made: Made
    release: Path
    vendor: str
    reader: Any
    get: Callable[[str], None]
    wait: float


def fresh(stage: Stage) -> None:
    """Onboard a load balancer that does not log; let the vendor read; update; remove."""
    run, name = stage.run, stage.run.names.named("fresh")
    outputs = _deployed(stage, name, *_first(stage), status="CREATE_COMPLETE")
    bucket = _logging(stage)["bucket"]
    run.expect(_logging(stage)["enabled"] == "true", "The load balancer does not log.")
    run.expect(bucket in outputs.get("LogBuckets", ""), "LogBuckets does not name the bucket.")
    settings(run, bucket)
    key = _announced(stage, bucket)
    _read(stage, bucket, key)
    _deployed(stage, name, "--parameter", "LogRetentionDays=7", status="UPDATE_COMPLETE")
    days = {each.get("Expiration", {}).get("Days") for each in settings(run, bucket)["lifecycle"]}
    run.expect(7 in days, "The update did not change the retention to 7 days.")
    code, _ = run.command("status", "--stack", name)
    run.expect(code == 0, f"`status` ended with {code}, not 0.")
    _removed(stage, name)
    run.expect(_logging(stage)["enabled"] == "false", "The load balancer still logs.")
    left = json.dumps(settings(run, bucket)["policy"])
    run.expect(stage.vendor == run.account or stage.vendor not in left,
               "The vendor may still read.")  # fmt: skip


def adopt(stage: Stage) -> None:
    """Onboard a load balancer that logs to a bucket with foreign settings; remove; compare."""
    run, name = stage.run, stage.run.names.named("adopt")
    bucket = _foreign(stage)
    before, logging = settings(run, bucket), _logging(stage)
    _deployed(stage, name, *_first(stage), status="CREATE_COMPLETE")
    during = settings(run, bucket)
    for kind in ("lifecycle", "tags", "encryption", "ownership", "block"):
        run.expect(during[kind] == before[kind], f"Adopting changed the bucket's {kind}.")
    kept = all(each in _statements(during) for each in _statements(before))
    run.expect(kept, "Adopting changed a statement of the bucket policy.")
    queues = during["notifications"].get("QueueConfigurations")
    run.expect(queues == before["notifications"]["QueueConfigurations"],
               "Adopting changed a notification.")  # fmt: skip
    run.expect("EventBridgeConfiguration" in during["notifications"], "EventBridge was cut off.")
    run.expect(_logging(stage) == logging, "Adopting moved the load balancer's logging.")
    _removed(stage, name)
    run.expect(_logging(stage) == logging, "Removing changed the load balancer's logging.")
    for kind, value in settings(run, bucket).items():
        run.expect(value == before[kind], f"Removing did not restore the bucket's {kind}.")


def settings(run: Run, bucket: str) -> dict[str, Any]:
    """Return a bucket's settings as comparable data; each read is in the transcript."""
    s3, where = run.client("s3"), {"Bucket": bucket, "ExpectedBucketOwner": run.account}
    policy = absent(lambda: s3.get_bucket_policy(**where)["Policy"])
    rules = absent(lambda: s3.get_bucket_lifecycle_configuration(**where)["Rules"])
    tags = s3.get_bucket_tagging(**where)["TagSet"]
    notifications = s3.get_bucket_notification_configuration(**where)
    return {
        "policy": json.loads(policy) if policy else None,
        "lifecycle": rules or [],
        "tags": sorted((each["Key"], each["Value"]) for each in tags),
        "notifications": {k: v for k, v in notifications.items() if k != "ResponseMetadata"},
        "encryption": s3.get_bucket_encryption(**where)["ServerSideEncryptionConfiguration"],
        "ownership": s3.get_bucket_ownership_controls(**where)["OwnershipControls"],
        "block": s3.get_public_access_block(**where)["PublicAccessBlockConfiguration"],
    }


def _statements(found: Mapping[str, Any]) -> list[Any]:
    return list((found["policy"] or {"Statement": []})["Statement"])


def _first(stage: Stage) -> tuple[str, ...]:
    """Return what the first deployment of a stack is given: our load balancer, never `*`."""
    given = {
        "DataTheoremAccountId": stage.vendor,
        "NotificationEndpoint": stage.made.queue,
        "ResourceTags": f"{TAG}={stage.run.names.run}",
    }
    parameters = (word for k, v in given.items() for word in ("--parameter", f"{k}={v}"))
    return (
        *("--load-balancer", stage.made.load_balancer, "--role-arn", stage.made.role),
        *("--tag", f"{TAG}={stage.run.names.run}", *parameters),
    )


def _deployed(stage: Stage, name: str, *words: str, status: str) -> dict[str, str]:
    """Deploy a stack and return its outputs. Raises OperatingError unless it comes to a status."""
    run = stage.run
    run.ledger.making(Thing("stack", name))
    code, found = run.command(
        "deploy", "--stack", name, "--release", str(stage.release), "--yes", *words
    )
    if stack := run.stack(name):
        record_made(run, stack)
        _events(run, stack["StackId"])
    got = found.get("stack", {}).get("status", "no status")
    if (code, got) != (0, status):
        raise OperatingError(
            f"`deploy` of '{name}' ended with {code} and '{got}', not {status}.",
            "Look at the stack's events in the transcript.",
        )
    return dict(found["outputs"])


def _removed(stage: Stage, name: str) -> None:
    run = stage.run
    stack = run.stack(name) or {}
    code, found = run.command("remove", "--stack", name, "--yes")
    _events(run, stack["StackId"])
    run.expect(code == 0 and found.get("clean") is True, f"`remove` of '{name}' is not clean.")


def _events(run: Run, stack: str) -> None:
    """Have a stack's events in the transcript."""
    pages = run.client("cloudformation").get_paginator("describe_stack_events")
    list(pages.paginate(StackName=stack))


def _logging(stage: Stage) -> dict[str, str]:
    """Return the load balancer's access-log attributes: enabled, bucket, prefix."""
    found = stage.run.client("elbv2").describe_load_balancer_attributes(
        LoadBalancerArn=stage.made.load_balancer
    )["Attributes"]
    logs = "access_logs.s3."
    return {e["Key"].removeprefix(logs): e["Value"] for e in found if e["Key"].startswith(logs)}


def _announced(stage: Stage, bucket: str) -> str:
    """Send requests until a log object of the load balancer is announced; return its key."""
    stage.run.operator.tell("sending requests, and waiting for a log object; AWS writes one in 5"
                            " to 15 minutes")  # fmt: skip

    def look() -> str | None:
        stage.get(f"http://{stage.made.address}{_PATH}")
        return next(
            (key for where, key in _messages(stage) if where == bucket and _LOG.fullmatch(key)),
            None,
        )

    return stage.run.until(look, stage.wait, "The announcement of a log object")


def _messages(stage: Stage) -> Iterator[tuple[str, str]]:
    """Yield bucket and key of each object that was announced since."""
    sqs, url = stage.run.client("sqs"), stage.made.queue_url
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    for message in got.get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        body = json.loads(message["Body"])
        event = json.loads(body["Message"]) if "Message" in body else body
        for record in event.get("Records", []):
            s3 = record["s3"]
            yield s3["bucket"]["name"], unquote_plus(s3["object"]["key"])


def _read(stage: Stage, bucket: str, key: str) -> None:
    """Read the log as the vendor, or, without a profile of one, as the owner; then overstep."""
    run, s3 = stage.run, stage.reader or stage.run.client("s3")
    text = gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).decode()
    run.expect(_PATH in text, "The log object does not have our request.")
    fields = sorted({len(re.findall(r'"[^"]*"|\S+', line)) for line in text.splitlines()})
    run.transcript.write({"log": key, "fields": fields})
    if stage.reader is None:
        run.operator.tell("The owner read it; another account can, with --vendor-profile.")
    else:
        _overstep(run, stage.reader, bucket, key)


def _overstep(run: Run, s3: Any, bucket: str, key: str) -> None:
    """Try, as the vendor, what goes beyond reading log objects."""
    test_file = f"{key.partition('/AWSLogs/')[0]}/AWSLogs/{run.account}/ELBAccessLogTestFile"
    tries: dict[str, Callable[[], object]] = {
        "list the bucket": lambda: s3.list_objects_v2(Bucket=bucket),
        "read the bucket's policy": lambda: s3.get_bucket_policy(Bucket=bucket),
        "read the test file": lambda: s3.get_object(Bucket=bucket, Key=test_file),
        "write an object": lambda: s3.put_object(Bucket=bucket, Key=f"{key}.copy", Body=b""),
        "delete the log object": lambda: s3.delete_object(Bucket=bucket, Key=key),
    }
    for what, attempt in tries.items():
        try:
            attempt()
        except ClientError as error:
            run.expect(aws.denied(error), f"To {what}, the vendor got '{aws.code(error)}'.")
        else:
            run.expect(False, f"The vendor could {what}.")


def _foreign(stage: Stage) -> str:
    """Make a bucket that others have settled in, and let the load balancer log there."""
    run, bucket = stage.run, stage.run.names.named("foreign")
    make_bucket(run, bucket)
    s3, where = run.client("s3"), {"Bucket": bucket, "ExpectedBucketOwner": run.account}
    arn = f"arn:{s3.meta.partition}:s3:::{bucket}"
    delivery = {
        "Sid": "delivery",
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{arn}/{_FOREIGN_PREFIX}/AWSLogs/{run.account}/*",
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
    s3.put_bucket_lifecycle_configuration(
        **where,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "foreign",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "old/"},
                    "Expiration": {"Days": 400},
                }
            ]
        },
    )
    rules = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "audit/"}]}}
    queue = {"Id": "audit", "QueueArn": stage.made.queue, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        **where,
        NotificationConfiguration={
            "QueueConfigurations": [{**queue, "Filter": rules}],
            "EventBridgeConfiguration": {},
        },
    )
    new = {"enabled": "true", "bucket": bucket, "prefix": _FOREIGN_PREFIX}
    run.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=stage.made.load_balancer,
        Attributes=[{"Key": f"access_logs.s3.{k}", "Value": v} for k, v in new.items()],
    )
    return bucket
