"""Announce logs again: read the stack, count its logs, ask for confirmation, send in batches."""

from __future__ import annotations

import shlex
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import count, islice
from random import uniform
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from dt_logs_cfn.cli.terminal import EVERY, Operator, printable
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.account import Reading, observed, reading
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.replay.sources import (
    LeftOut,
    LogObject,
    Source,
    event,
    log_objects,
    sources,
)
from dt_logs_cfn.operate.replay.window import Window, check_kept
from dt_logs_cfn.operate.retry import FAILURES, failure, passes
from dt_logs_cfn.operate.stacks.stack import made_from, named, with_command
from dt_logs_handler.aws import PASSING, code, denied
from dt_logs_handler.buckets import LIFECYCLE, OwnedBucket
from dt_logs_handler.main import Clients
from dt_logs_handler.names import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef

AT_ONCE = 8  # concurrent calls
ENTRIES = 10  # messages in a batch [SNS API, PublishBatch]
_AHEAD = 4 * AT_ONCE  # batches in memory
_TRIES = 8  # attempts; the SDK also retries each of them
_LONGEST = 20.0  # seconds between two attempts
_DUPLICATES = (
    "Every subscriber of these topics receives each announcement again. Data Theorem has to accept"
    " duplicates, because earlier announcements arrive twice."
)

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """A request to announce a window's logs again; with `after`, only the logs after that one."""

    stack: str
    window: Window
    after: str = ""
    dry_run: bool = False
    yes: bool = False


@dataclass(frozen=True)
class Counted:
    """The number of a location's logs after a key, by load balancer, and of announced logs."""

    source: Source
    after: str
    found: Mapping[str, int]
    announced: int = 0
    stopped: str = ""  # why the remaining logs were not announced


@dataclass(frozen=True)
class Replayed:
    """The logs that were found, announced and left out."""

    counted: tuple[Counted, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def total(self) -> int:
        return sum(sum(each.found.values()) for each in self.counted)

    @property
    def announced(self) -> int:
        return sum(each.announced for each in self.counted)

    @property
    def complete(self) -> bool:
        """True if no logs were left out, and no location's announcements stopped."""
        return not self.left_out and not any(each.stopped for each in self.counted)

    def lines(self) -> Iterator[str]:
        """Yield the result as lines for people, without the summary."""
        for each in self.counted:
            yield f"{each.source} through {each.source.topic}"
            yield from (f"{count:>11,}  {name}" for name, count in sorted(each.found.items()))
            if each.stopped:
                yield f"  STOPPED    after {each.announced:,}: {each.stopped}"
        yield from (f"  LEFT OUT   {each.what}: {each.why}" for each in self.left_out)

    @property
    def summary(self) -> str:
        return f"{self.announced:,} of {self.total:,} log objects announced again"

    def data(self) -> dict[str, object]:
        """Return the result as data for programs."""
        locations = [
            {**asdict(each), "source": str(each.source), "topic": each.source.topic}
            for each in self.counted
        ]
        left_out = [asdict(each) for each in self.left_out]
        totals = {"found": self.total, "announced": self.announced}
        return {**totals, "locations": locations, "left_out": left_out}


def replay(
    cloudformation: CloudFormationClient,
    clients: Clients,
    wanted: Wanted,
    operator: Operator,
    clock: Callable[[], float],
) -> Replayed:
    """Announce logs again after a confirmation; in a dry run, or without logs, only count.

    `clock` returns seconds since 1970. Raises OperatingError, botocore's errors, and
    KeyboardInterrupt. If one of these stops the sending, prints how to continue.
    """
    existing = made_from(cloudformation, named(cloudformation, wanted.stack))
    now = clock()
    request, through = asked.again(existing, now), reading(clients, [], clock)
    state = observed(request, through)
    there = list(sources(through, request, state))
    work = _Work(through, wanted, operator, request.stack)
    found = [each for each in there if isinstance(each, Source)]
    counted = [work.count(each, after, now) for each, after in work.rest(found)]
    result = Replayed(
        tuple(each for each in counted if isinstance(each, Counted)),
        tuple(
            replace(each, why=with_command(each.why, [existing.stack]))
            for each in (*there, *counted)
            if isinstance(each, LeftOut)
        ),
    )
    if wanted.dry_run or not result.total:
        return result
    for line in (*result.lines(), _DUPLICATES):
        operator.advise(printable(line))
    question = f"Announce {result.total:,} log objects again?"
    operator.confirm(question, wanted.yes, "nothing was sent")
    return work.announce(result)


class _Work:
    """Counts a stack's logs, and announces them."""

    def __init__(self, through: Reading, wanted: Wanted, operator: Operator, stack: Stack) -> None:
        self._through, self._wanted, self._operator = through, wanted, operator
        self._stack = stack
        self._told = operator.clock()

    def rest(self, found: Sequence[Source]) -> Iterator[tuple[Source, str]]:
        """Yield the remaining locations, each with the key to start after; empty means all logs.

        Raises OperatingError if `--after` is not in one of the locations.
        """
        after = self._wanted.after
        for each in found:
            start = f"s3://{each.location.bucket}/"
            begun = after.startswith(start + each.location.log_prefix(self._stack))
            if begun or not after:
                yield each, after.removeprefix(start)
                after = ""
        if after:
            raise OperatingError(
                f"--after {after[:200]!r} is not in a location that this stack can announce.",
                "Give the last object that was printed, as s3://BUCKET/KEY, or omit --after.",
            )

    def count(self, source: Source, after: str, now: float) -> Counted | LeftOut:
        """Count a location's logs; return a LeftOut if they cannot be read.

        Raises OperatingError if some of the logs may have expired.
        """
        bucket, logs = source.location.bucket, source.location.log_prefix(self._stack)
        found = Counter(dict.fromkeys(source.load_balancers, 0))
        try:
            lifecycle = LIFECYCLE.read(OwnedBucket(self._through, bucket, self._stack.account))
            check_kept(bucket, lifecycle, logs, self._wanted.window, now)
            for number, each in enumerate(self._objects(source, after), 1):
                found[each.load_balancer] += 1
                self._progress(f"{number:,} log objects found in {source}")
        except ClientError as error:
            return LeftOut(str(source), _why(error))
        return Counted(source, after, dict(found))

    def announce(self, found: Replayed) -> Replayed:
        """Announce the counted logs; if an exception stops this, print how to continue."""
        done, last = list(found.counted), self._wanted.after
        try:
            for number, each in enumerate(found.counted):
                for done[number], key in self._batches(each):
                    last = key or last
                    now = replace(found, counted=tuple(done))
                    self._progress(f"{now.announced:,} of {now.total:,} announced, up to {last}")
        except BaseException:
            again = f"dt-logs-cfn replay --stack {self._wanted.stack} {self._wanted.window}"
            again += f" --after {shlex.quote(last)}" if last else ""
            self._operator.advise(printable(f"The replay stopped. To continue: `{again}`"))
            raise
        return replace(found, counted=tuple(done))

    def _batches(self, found: Counted) -> Iterator[tuple[Counted, str]]:
        """Announce a location's logs; yield the count and the last log after each batch.

        If AWS denies a call, or the bucket or topic is missing, also yields the reason, and stops.
        """
        source, last = found.source, ""

        def send(batch: Sequence[LogObject]) -> None:
            messages = (event(each, source, self._stack) for each in batch)
            publish(self._through.sns, source.topic, messages, self._operator.sleep)

        try:
            with closing(sent(self._objects(source, found.after), send)) as batches:
                for batch in batches:
                    found = replace(found, announced=found.announced + len(batch))
                    last = f"s3://{source.location.bucket}/{batch[-1].key}"
                    yield found, last
        except ClientError as error:
            yield replace(found, stopped=_why(error)), last

    def _objects(self, source: Source, after: str) -> Iterator[LogObject]:
        return log_objects(self._through.s3, source, self._stack, self._wanted.window, after)

    def _progress(self, line: str) -> None:
        if self._operator.clock() - self._told >= EVERY:
            self._told = self._operator.clock()
            self._operator.tell(printable(line))


def _why(error: ClientError) -> str:
    """Return why a location's logs are not announced; raise errors that affect all locations."""
    if denied(error) or code(error) in ("NotFound", "NotFoundException", "NoSuchBucket"):
        return str(failure(error))
    raise error


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
