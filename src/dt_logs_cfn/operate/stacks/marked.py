"""What of an account is a stack's, by its marks and the handler's own plan of its Delete; pure.

The last stack that uses something takes it over from the one that set it up. Which that is, the
handler decides; here it is asked, with what was read already.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dt_logs_cfn.operate.stacks.marks import Hints, MarkedBucket, MarkedLoadBalancer
from dt_logs_handler import notifications
from dt_logs_handler.model import Bucket, DeleteBucket, LoadBalancer, SetLogging, State, Step
from dt_logs_handler.names import LEFT_TAG, Location, Stack
from dt_logs_handler.plan import plan
from dt_logs_handler.register import Registration
from dt_logs_handler.request import Request, Traces


@dataclass(frozen=True)
class Found:
    """A stack, the load balancers of the region that have a bucket, and the buckets read."""

    stack: Stack
    hints: Hints
    logging: Sequence[LoadBalancer]
    buckets: Mapping[str, Bucket]

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        # Topics are left out: whose they are is told by the buckets, and to read them needs more.
        state = State({each.arn: each for each in self.logging}, self.buckets, None)
        return plan(Request("Delete", self.stack, 0, None, Traces()), state).steps

    @cached_property
    def _off(self) -> frozenset[str]:
        """The ARNs of the load balancers whose logging a Delete turns off."""
        return frozenset(each.load_balancer for each in self._steps if isinstance(each, SetLogging))

    @cached_property
    def _deleted(self) -> frozenset[str]:
        """The buckets that a Delete deletes if they are empty."""
        return frozenset(each.bucket for each in self._steps if isinstance(each, DeleteBucket))

    def load_balancers(self) -> Iterator[MarkedLoadBalancer]:
        """Yield the load balancers whose logging goes with the stack, if nobody else uses it."""
        for each in self.logging:
            location = each.logging.location
            own = location.mark == self.stack.tag
            hinted = location.mark is not None and each.name in self.hints.load_balancers
            if own or hinted or each.arn in self._off:
                yield MarkedLoadBalancer(each.name, self._shared(location, each.name), not own)

    def _shared(self, location: Location, name: str) -> bool:
        return any(each.covers(location, name) for each in self._others(location.bucket))

    def _others(self, bucket: str) -> list[Registration]:
        found = self.buckets.get(bucket)
        claims = found.register(self.stack) if found else []
        return [each for each in claims if each.stack != self.stack.tag]

    def bucket(self, bucket: Bucket) -> MarkedBucket:
        """Return what of the stack's is in a bucket; whether it holds logs is not known here."""
        name = bucket.name
        mine = [each for each in bucket.register(self.stack) if each.stack == self.stack.tag]
        theirs = {each.location_digest for each in self._others(name)}
        own = notifications.own(bucket.notifications)
        made = bucket.maker == self.stack.tag or name in self.stack.own_buckets
        goes = name in self._deleted
        return MarkedBucket(
            name,
            made,
            len(mine),
            sum(each.vendor == self.stack.account for each in mine),
            sum(notifications.location_digest(each) not in theirs for each in own),
            "another stack" if theirs else "" if goes or not made else self._user(name),
            inherited=goes and not made and (bool(mine) or self._reached(name)),
            note=bucket.tags.get(LEFT_TAG, ""),
        )

    def _reached(self, bucket: str) -> bool:
        """Tell whether the stack's Delete is to come, or may have left the bucket."""
        return not self.hints.deleted or bucket in self.hints.buckets

    def _user(self, bucket: str) -> str:
        """Name a load balancer that logs to a bucket, and goes on with it."""
        names = (
            each.name
            for each in self.logging
            if each.logging.enabled and each.logging.bucket == bucket and each.arn not in self._off
        )
        return next((f"load balancer {each}" for each in names), "")
