"""S3: event notifications."""

import re
from copy import deepcopy
from itertools import combinations
from typing import Any

from dt_logs_rehearsal.account.delivery import (
    DESTINATIONS,
    admits_s3,
    entries,
    filters,
    rules,
    send,
    test_message,
)
from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.models import service_model
from dt_logs_rehearsal.account.s3.settings import malformed
from dt_logs_rehearsal.account.world import Bucket, Call, Response, World

Entry = dict[str, Any]
MOST = 100  # configurations per bucket, a well-known limit; the error message is unverified
# The destination's name in S3's errors, for each kind of notification.
_ARGUMENTS = {
    "TopicConfigurations": "Topic",
    "QueueConfigurations": "Queue",
    "LambdaFunctionConfigurations": "CloudFunction",
}


def get_bucket_notification_configuration(world: World, call: Call) -> Response:
    """Return the whole configuration, without unset kinds; it may be stale."""
    return deepcopy(world.seen(world.buckets[call.params["Bucket"]].notifications))


def put_bucket_notification_configuration(world: World, call: Call) -> Response:
    """Replace the whole configuration, including EventBridge, or change nothing.

    Every destination, even one that was configured before, is checked and receives a test event,
    unless SkipDestinationValidation is sent [botocore, s3 PutBucketNotificationConfiguration].
    """
    bucket = world.buckets[call.params["Bucket"]]
    new = kept(world, call.params["NotificationConfiguration"])
    _check(new)
    if not call.params.get("SkipDestinationValidation", False):
        destinations = dict.fromkeys(arn for _, arn, _ in entries(new))
        wrong = [pair for each in destinations if (pair := _wrong(world, bucket, each))]
        if wrong:
            named = {f"ArgumentName{n}": name for n, (name, _) in enumerate(wrong, 1)}
            said = {f"ArgumentValue{n}": text for n, (_, text) in enumerate(wrong, 1)}
            text = "Unable to validate the following destination configurations"
            raise _invalid(text, **named, **said)
        for each in destinations:
            send(world, bucket, each, test_message(world, bucket))
    world.change(bucket.notifications, new)
    return {}


def kept(world: World, configuration: Entry) -> Entry:
    """Return a configuration as S3 keeps it: with Ids and capitalised names of filter rules."""
    result: Entry = {}
    for kind in DESTINATIONS:
        if configuration.get(kind):
            result[kind] = [_entry(world, each) for each in configuration[kind]]
    if "EventBridgeConfiguration" in configuration:
        result["EventBridgeConfiguration"] = {}
    return result


def _entry(world: World, given: Entry) -> Entry:
    entry = {"Id": world.unique(), **deepcopy(given)}
    for rule in rules(entry):
        known = {"prefix": "Prefix", "suffix": "Suffix"}
        rule["Name"] = known.get(rule.get("Name", "").lower(), rule.get("Name", ""))
    return entry


def _invalid(text: str, **details: str) -> Refused:
    return Refused("InvalidArgument", text, **details)


def _check(configuration: Entry) -> None:
    """Refuse entries that S3 refuses even with SkipDestinationValidation.

    [localstack tests/aws/services/s3/test_s3_notifications_sqs, _sns, _lambda]
    """
    for kind, arn, _ in entries(configuration):
        if not re.fullmatch(r"arn(:[^:]*){4}:.+", arn):
            named = {"ArgumentName": _ARGUMENTS[kind], "ArgumentValue": arn}
            raise _invalid("The ARN could not be parsed", **named)
    every = [entry for _, _, entry in entries(configuration)]
    if len(every) > MOST:
        raise _invalid(f"The number of configurations exceeds the limit of {MOST}")
    if len({each["Id"] for each in every}) != len(every):
        raise _invalid("Same ID used for multiple configurations. IDs must be unique")
    for each in every:
        _check_entry(each)
    for one, other in combinations(every, 2):
        _check_overlap(one, other)


def _check_entry(entry: Entry) -> None:
    if not entry["Events"]:
        raise malformed()
    known = service_model("s3").shape_for("Event").metadata["enum"]
    if not set(known).issuperset(entry["Events"]):
        raise _invalid("The event is not supported for notifications")
    names = [rule["Name"] for rule in rules(entry)]
    for name in names:
        if name not in ("Prefix", "Suffix"):
            named = {"ArgumentName": "FilterRule.Name", "ArgumentValue": name}
            raise _invalid("filter rule name must be either prefix or suffix", **named)
    if not all("Value" in rule for rule in rules(entry)):
        raise malformed()  # [localstack tests/aws/services/s3/test_s3_api]
    if len(set(names)) != len(names):
        raise _invalid(f"Cannot specify more than one {names[0].lower()} rule in a filter.")
    if any(len(value.encode()) > 1024 for value in filters(entry)):
        raise _invalid("Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation")


def _check_overlap(one: Entry, other: Entry) -> None:
    """Refuse entries that share an event type if both their prefixes and their suffixes overlap.

    [GH minio#2472; GH aws-solutions/aws-waf-security-automations#49; S3 guide,
    notification-how-to-filtering.md]
    """
    if not any(_same_event(a, b) for a in one["Events"] for b in other["Events"]):
        return
    (prefix, suffix), (prefix2, suffix2) = filters(one), filters(other)
    if not (prefix or suffix or prefix2 or suffix2):
        raise _invalid(
            "Configurations overlap. Configurations on the same bucket cannot share a common event"
            " type."
        )
    if (prefix.startswith(prefix2) or prefix2.startswith(prefix)) and (
        suffix.endswith(suffix2) or suffix2.endswith(suffix)
    ):
        raise _invalid(
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if"
            " the prefixes are overlapping for the same event type."
        )


def _same_event(one: str, other: str) -> bool:
    return (
        one == other
        or (one.endswith("*") and other.startswith(one[:-1]))
        or (other.endswith("*") and one.startswith(other[:-1]))
    )


def _wrong(world: World, bucket: Bucket, arn: str) -> tuple[str, str] | None:
    """Return the argument's name and value in S3's error, or None if S3 accepts the destination.

    A destination must be in the bucket's region, must not be FIFO, and must admit S3. A topic that
    is encrypted with the key alias/aws/sns cannot admit S3 [S3 guide,
    notification-how-to-event-types-and-destinations.md,
    grant-destinations-permissions-to-s3.md#key-policy]. The messages for queues and functions come
    from recorded calls [localstack tests/aws/services/s3/test_s3_notifications_sqs, _lambda]; those
    for topics come from users' reports.
    """
    service, region = arn.split(":")[2:4]
    here = region == bucket.region and not arn.endswith(".fifo")
    if service == "lambda":
        known = here and arn in world.destinations
        return None if known else (f"{arn}, null", f"Not authorized to invoke function [{arn}]")
    topic = world.topics.get(arn)
    if not here or (topic is None and arn not in world.destinations):
        return arn, f"The destination {'topic' if service == 'sns' else 'queue'} does not exist"
    if topic is None:
        return None
    key = topic.attributes.get("KmsMasterKeyId", "")
    if not key.endswith("alias/aws/sns") and admits_s3(world, topic, bucket):
        return None
    text = "Permissions on the destination topic do not allow S3 to publish notifications from this"
    return arn, f"{text} bucket"
