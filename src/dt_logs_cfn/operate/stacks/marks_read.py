"""Read an account to find the things that a stack set up there.

All reads use the operator's permissions, and nothing is written. A denied read is reported, and the
account then does not count as clean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate import account
from dt_logs_cfn.operate.account import Denied, noting, observed, reading
from dt_logs_cfn.operate.stacks.marks import Hints, Left, Leftovers, Marked
from dt_logs_handler.aws import code, denied
from dt_logs_handler.buckets import ABSENT, POLICY, OwnedBucket, read_bucket
from dt_logs_handler.errors import HandlerError
from dt_logs_handler.main import Clients
from dt_logs_handler.model import Bucket, Unreadable
from dt_logs_handler.names import TEST_FILE, Stack
from dt_logs_handler.observe import bucket_names
from dt_logs_handler.register import registrations
from dt_logs_handler.request import Request, Traces

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

T = TypeVar("T")
_LONGEST = 600.0  # seconds that a search may take
_KEYS = 1000  # the most keys to read when looking for a log


@dataclass(frozen=True)
class Access:
    """Clients with the operator's permissions, and a clock in seconds."""

    handler: Clients  # the clients that the handler uses
    logs: CloudWatchLogsClient
    clock: Callable[[], float]


def search(access: Access, stack: Stack, hints: Hints) -> Leftovers:
    """Find the things that a stack set up. Raises botocore's errors other than denials."""
    it = _Search(access, stack, hints)
    left: list[Left] = []
    found = it.noting("load balancers and buckets", it.marked, None)
    if found is not None:
        left = [*found.load_balancers(), *found.in_buckets(it.holds_logs)]
        # A bucket's policy shows who uses the bucket's topic. If the policy cannot be read, the
        # topic may be in use.
        arns = found.topics() - {stack.topic_arn(name) for name in it.closed}
        left += [each for arn in sorted(arns) for each in it.topic(arn)]
    left += it.noting("log groups", it.log_group, [])
    return Leftovers(tuple(left), it.unread)


class _Search:
    """Reads step by step, and notes each failed read."""

    def __init__(self, access: Access, stack: Stack, hints: Hints) -> None:
        elbv2, s3, sns = access.handler
        self._denied: list[Denied] = []  # denied reads of load balancers; other reads continue
        lenient = noting(elbv2, self._denied, lenient=True)
        through = reading((lenient, s3, sns), [], access.clock)
        self._aws = through.until(access.clock() + _LONGEST)
        self._logs, self._stack, self._hints = access.logs, stack, hints
        self._unread: list[str] = []
        self.closed: set[str] = set()  # buckets whose policy cannot be read

    @property
    def unread(self) -> tuple[str, ...]:
        """The failed reads, in words."""
        operations = dict.fromkeys(each.operation for each in self._denied)
        lost = (f"load balancers could not be read (AWS denies {each})" for each in operations)
        return (*lost, *self._unread)

    def noting(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        """Call `read`; if AWS or the handler refuses it, note that and return `otherwise`."""
        try:
            return read()
        except ClientError as error:
            if not denied(error):
                raise
            self._unread.append(f"{what} could not be read (AWS denies {error.operation_name})")
        except (HandlerError, OperatingError) as error:
            self._unread.append(f"{what} could not all be read ({error.what.rstrip('.')})")
        return otherwise

    def marked(self) -> Marked:
        """Read the load balancers, and the buckets that may have marks of the stack.

        This reads everything that the handler's Delete would read, then searches other buckets.
        """
        stack, traces = self._stack, Traces(buckets=self._hints.buckets)
        state = observed(Request("Delete", stack, 0, None, traces), self._aws)
        read = dict(state.buckets)
        every = self.noting(
            "the list of buckets", lambda: [*bucket_names(self._aws, stack)], list[str]()
        )
        for name in every:
            if name not in read and self._claimed(name):
                read[name] = read_bucket(self._aws, name, stack.account, settings=False)
        for name, each in sorted(read.items()):
            if isinstance(each, Unreadable):
                self._unread.append(each.told(name))
                self.closed.add(name)
        present = {name: each for name, each in sorted(read.items()) if isinstance(each, Bucket)}
        load_balancers = filter(None, state.load_balancers.values())
        logging = [each for each in load_balancers if each.logging.bucket]
        return Marked(stack, self._hints, logging, present)

    def _claimed(self, name: str) -> bool:
        """Return whether the stack is registered in a bucket's policy; note a denied read."""
        try:
            policy = POLICY.read(OwnedBucket(self._aws, name, self._stack.account))
        except ClientError as error:
            if denied(error):
                self._unread.append(
                    f"the policy of bucket {name} could not be read (AWS denies GetBucketPolicy)"
                )
                self.closed.add(name)
            elif code(error) not in ABSENT:
                raise
            return False
        claims = registrations(policy, name, self._stack)
        return any(each.stack == self._stack.tag for each in claims)

    def holds_logs(self, bucket: str) -> bool | None:
        """Return whether a bucket holds logs; None if the bucket cannot be read.

        Any object counts as a log, except a test file.
        """

        def read() -> bool | None:
            s3, account_id = self._aws.s3, self._stack.account
            page = self._aws.call(
                lambda: s3.list_objects_v2(
                    Bucket=bucket, MaxKeys=_KEYS, ExpectedBucketOwner=account_id
                )
            )
            keys = [each["Key"] for each in page.get("Contents", ())]
            return page["IsTruncated"] or any(not key.endswith(f"/{TEST_FILE}") for key in keys)

        return self.noting(f"bucket {bucket}", read, None)

    def topic(self, arn: str) -> Iterator[Left]:
        """Yield a topic, if it exists; if others subscribe to it, also yield our subscriptions."""
        topic = self.noting(f"topic {arn}", lambda: account.topic(self._aws, arn), None)
        if topic is None:
            return
        documented = self._hints.documented
        role = ", and the stack's role may not delete it" if documented else ""
        confirmed = [each for each in topic.subscriptions if each.confirmed]
        own = [each.arn for each in confirmed if each.endpoint == self._hints.endpoint]
        if len(confirmed) == len(own):
            command = f"aws sns delete-topic --topic-arn {arn}"
            why = f"no other stack uses it{role}"
            yield Left("topic", arn, why, documented, remedy=command)
            return
        yield Left("topic", arn, "somebody else is subscribed to it", expected=True)
        for each in own:
            command = f"aws sns unsubscribe --subscription-arn {each}"
            yield Left("subscription", each, f"it is ours{role}", documented, remedy=command)

    def log_group(self) -> list[Left]:
        """Return the function's log group if it is not a resource of the stack."""
        name = f"/aws/lambda/{self._hints.function}"
        listing = self._logs.get_paginator("describe_log_groups")
        for page in listing.paginate(logGroupNamePrefix=name) if self._hints.function else ():
            if any(each.get("logGroupName") == name for each in page["logGroups"]):
                command = f"aws logs delete-log-group --log-group-name {name}"
                why = "Lambda made it, so it is not a resource of the stack"
                return [Left("log group", name, why, expected=True, remedy=command)]
        return []
