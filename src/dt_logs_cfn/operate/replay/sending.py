"""Send messages to a topic in concurrent batches, until SNS has accepted each message."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count, islice
from random import uniform
from typing import TYPE_CHECKING, TypeVar

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.retry import FAILURES, passes
from dt_logs_handler.aws import PASSING

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef

AT_ONCE = 8  # concurrent calls
ENTRIES = 10  # messages in a batch [SNS API, PublishBatch]
_AHEAD = 4 * AT_ONCE  # batches in memory
_TRIES = 8  # attempts; the SDK also retries each of them
_LONGEST = 20.0  # seconds between two attempts

T = TypeVar("T")


def sent(
    items: Iterable[T], send: Callable[[Sequence[T]], None]
) -> Generator[Sequence[T], None, None]:
    """Send items in batches; yield each batch, in order, once it and all earlier ones are sent.

    Raises the error that `send` raised, and cancels the batches that have not begun.
    """
    left, pending = iter(items), deque[tuple[Sequence[T], Future[None]]]()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            while True:
                while len(pending) < _AHEAD and (batch := tuple(islice(left, ENTRIES))):
                    pending.append((batch, pool.submit(send, batch)))
                if not pending:
                    return
                first, done = pending.popleft()
                done.result()
                yield first
        finally:
            for _, each in pending:
                each.cancel()


def publish(
    sns: SNSClient, topic: str, messages: Iterable[str], sleep: Callable[[float], None]
) -> None:
    """Publish up to ten messages, and retry those that SNS refuses temporarily.

    Ten events are far below SNS's limit of 262,144 bytes, because a key has at most 1,024 bytes.
    Raises botocore's errors, and OperatingError for messages that SNS does not accept.
    """
    left = {str(number): each for number, each in enumerate(messages)}
    for attempt in count(1):
        entries: list[PublishBatchRequestEntryTypeDef] = [
            {"Id": name, "Message": text} for name, text in left.items()
        ]
        lasts = attempt == _TRIES
        try:
            answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
        except FAILURES as error:
            if lasts or not passes(error):
                raise
        else:
            failed = answer.get("Failed", [])
            left = {each["Id"]: left[each["Id"]] for each in failed}
            if not left:
                return
            if lasts or any(e["SenderFault"] and e["Code"] not in PASSING for e in failed):
                why = ", ".join(sorted({each["Code"] for each in failed}))
                raise OperatingError(f"SNS did not accept a message ({why}).", "Try again later.")
        sleep(uniform(0.5, 1.0) * min(2.0**attempt, _LONGEST))
