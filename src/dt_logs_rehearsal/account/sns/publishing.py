"""SNS: messages that an account publishes itself."""

import json
import re

from dt_logs_rehearsal.account import delivery
from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.sns.topics import found_topic
from dt_logs_rehearsal.account.world import Call, Response, World

_MOST = 10  # entries
_LARGEST = 262_144  # bytes of all messages together


def publish_batch(world: World, call: Call) -> Response:
    """Publish up to 10 messages, or none of them if the batch is not well-formed.

    [SNS API, PublishBatch and PublishBatchRequestEntry; the texts are those of its Errors.
    localstack tests/aws/services/sns/test_sns for a topic that does not exist]
    """
    topic = found_topic(world, call.params["TopicArn"])
    entries = call.params["PublishBatchRequestEntries"]
    if not entries:
        raise _wrong("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(entries) > _MOST:
        text = "The batch request contains more entries than permissible (more than 10)."
        raise _wrong("TooManyEntriesInBatchRequest", text)
    identifiers = [each["Id"] for each in entries]
    if not all(re.fullmatch("[A-Za-z0-9_-]{1,80}", each) for each in identifiers):
        text = "The Id of a batch entry in a batch request doesn't abide by the specification."
        raise _wrong("InvalidBatchEntryId", text)
    if len(set(identifiers)) < len(entries):
        text = "Two or more batch entries in the request have the same Id."
        raise _wrong("BatchEntryIdsNotDistinct", text)
    if sum(len(each["Message"].encode()) for each in entries) > _LARGEST:
        text = "The length of all the batch messages put together is more than the limit."
        raise _wrong("BatchRequestTooLong", text)
    if not all(
        each.keys() == {"Id", "Message"} and _is_object(each["Message"]) for each in entries
    ):
        raise Refused("NotImplemented", "Only plain messages of JSON objects are emulated", 501)
    for each in entries:
        delivery.publish(world, topic, each["Message"])
    return {"Successful": [{"Id": each, "MessageId": world.unique()} for each in identifiers]}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _wrong(code: str, text: str) -> Refused:
    return Refused(code, text, Type="Sender")
