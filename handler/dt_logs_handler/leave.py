"""Planning the way out: what nobody needs any more goes, in the order that can be interrupted."""

from collections.abc import Iterator, Sequence

from . import notifications, policy
from .marks import unmarked
from .model import Bucket, LoadBalancer, Logging, State, Subscription, Topic
from .notifications import encoded
from .place import Placed, registered
from .register import Registration
from .request import Endpoint, Request
from .steps import (
    DeleteBucket,
    DeleteTestFile,
    DeleteTopic,
    EditNotifications,
    EditPolicy,
    Guard,
    SetFilter,
    SetLogging,
    Step,
    Unsubscribe,
)
from .topics import filtered, narrowed_filter


def leaving(
    request: Request, state: State, placed: Sequence[Placed], claimed: Sequence[Registration]
) -> tuple[list[Step], tuple[str, ...]]:
    """Return the steps by which the stack leaves what it no longer claims, and what stays behind.

    What several stacks share stays as long as another stack's registration covers it.
    """
    view = _View(request, state, placed, claimed)
    steps: list[Step] = [*view.logging_off()]
    for bucket in view.buckets:
        steps += view.notifications_off(bucket)
    steps += view.subscriptions_off()
    for bucket in view.buckets:
        steps += view.test_files_off(bucket)
        steps += view.bucket_off(bucket)
    return steps, tuple(view.kept)


class _View:
    """Who claims what, once the stack's claims are those given."""

    def __init__(
        self,
        request: Request,
        state: State,
        placed: Sequence[Placed],
        claimed: Sequence[Registration],
    ) -> None:
        self.kept: list[str] = []
        self._stack = request.stack
        self._state = state
        self._placed = {each.load_balancer.arn: each.to for each in placed}
        everyone = registered(state, request.stack, others=True)
        self._others = [each for each in everyone if each.stack != self._stack.tag]
        self._mine = [each for each in everyone if each.stack == self._stack.tag]
        self._staying = [*self._others, *claimed]
        claimed_at = {each.location.digest for each in claimed}
        self._gone = [each for each in self._mine if each.location_digest not in claimed_at]
        self._off = [each for each in state.load_balancers.values() if each and self._goes(each)]
        names = {each.location.bucket for each in self._gone}
        names |= {each.logging.bucket for each in self._off}
        self.buckets = [
            each
            for each in state.present()
            if each.name in names or self._made(each) or request.kind == "Delete"
        ]

    def _made(self, bucket: Bucket) -> bool:
        return bucket.maker == self._stack.tag or bucket.name in self._stack.own_buckets

    def _goes(self, found: LoadBalancer) -> bool:
        """Tell whether an ALB's logging, which a stack of ours turned on, is to be turned off."""
        location = found.logging.location
        if location.mark is None or found.arn in self._placed:
            return False
        if any(each.covers(location, found.name) for each in self._others):
            return False
        return location.mark == self._stack.tag or any(
            each.covers(location, found.name) for each in self._mine
        )

    def logging_off(self) -> Iterator[Step]:
        for each in self._off:
            now = each.logging
            guard = Guard(now.bucket, now.location, each.name)
            off = Logging(False, now.bucket, unmarked(now.prefix))
            yield SetLogging(each.arn, now, off, guard)

    def _left(self, bucket: Bucket) -> set[str]:
        """Return the digests of the locations in a bucket that nobody claims any more.

        Of stacks that leave at once, each may have seen the other's claim and left what they share.
        """
        left = {each.location_digest for each in self._gone if each.location.bucket == bucket.name}
        left |= set(map(notifications.location_digest, notifications.own(bucket.notifications)))
        left |= {
            each.logging.location.digest for each in self._off if each.logging.bucket == bucket.name
        }
        return left - {each.location_digest for each in self._staying_in(bucket)}

    def _staying_in(self, bucket: Bucket) -> list[Registration]:
        return [each for each in self._staying if each.location.bucket == bucket.name]

    def notifications_off(self, bucket: Bucket) -> Iterator[Step]:
        left = self._left(bucket)
        drop = frozenset(
            each
            for each in notifications.own(bucket.notifications)
            if notifications.location_digest(each) in left
        )
        if drop:
            yield EditNotifications(bucket.name, notifications.Edit(drop=drop))

    def subscriptions_off(self) -> Iterator[Step]:
        ends = {each.endpoint for each in self._mine}
        if self._state.topics is None:
            self._keep_topics()
            return
        own = {self._stack.topic_arn(each.name): each for each in self._state.present()}
        for arn, topic in self._state.topics.items():
            if topic and arn in own:
                yield from self._own_topic_off(own[arn], topic, ends)
            elif topic:
                yield from self._foreign_topic_off(topic, ends)

    def _keep_topics(self) -> None:
        for bucket in self._state.present():
            ends = {each.endpoint for each in self._mine if each.location.bucket == bucket.name}
            staying = self._staying_in(bucket)
            if staying and ends - {each.endpoint for each in staying}:
                arn = self._stack.topic_arn(bucket.name)
                self.kept.append(
                    f"the earlier endpoint's subscription to {arn}, which goes on (the documented"
                    " role may not end it: aws sns list-subscriptions-by-topic --topic-arn"
                    f" {arn}, then aws sns unsubscribe --subscription-arn)"
                )
        for bucket in self.buckets:
            if self._left(bucket) and not self._staying_in(bucket):
                arn = self._stack.topic_arn(bucket.name)
                self.kept.append(
                    f"topic {arn} with its subscription, which nothing uses any more (the"
                    f" documented role may not delete it: aws sns delete-topic --topic-arn {arn})"
                )

    def _own_topic_off(self, bucket: Bucket, topic: Topic, ends: set[str]) -> Iterator[Step]:
        staying = self._staying_in(bucket)
        used = {each.endpoint for each in staying}
        ours = [each for each in topic.subscriptions if _end(each).digest in ends - used]
        if not staying and (bucket in self.buckets):
            if all(each in ours or not each.confirmed for each in topic.subscriptions):
                yield DeleteTopic(topic.arn, bucket.name, Guard(bucket.name))
                return
            self.kept.append(f"topic {topic.arn}, to which somebody else is subscribed")
        yield from self._unsubscribe(ours, bucket.name)

    def _unsubscribe(self, found: Sequence[Subscription], bucket: str) -> Iterator[Step]:
        for each in found:
            end = _end(each)
            if each.confirmed:
                guard = Guard(bucket, endpoint=end.digest)
                yield Unsubscribe(each.arn, each.topic, end, each.filter_policy, guard)
            else:
                self.kept.append(
                    f"the subscription of {end.shown} to {each.topic}, which was never confirmed"
                    " and which AWS removes by itself"
                )

    def _foreign_topic_off(self, topic: Topic, ends: set[str]) -> Iterator[Step]:
        """Narrow or end our subscriptions to a topic that is not ours."""
        for each in topic.subscriptions:
            found = filtered(each, self._stack) if each.confirmed else None
            end = _end(each)
            if found is None or end.digest not in ends:
                continue
            bucket, keys = found
            if bucket not in {claim.location.bucket for claim in self._mine}:
                continue  # another stack's, at a bucket that is not looked at here
            wanted = {
                encoded(claim.location.log_prefix(self._stack))
                for claim in self._staying
                if claim.endpoint == end.digest and claim.location.bucket == bucket
            }
            if not keys & wanted:
                guard = Guard(bucket, endpoint=end.digest)
                yield Unsubscribe(each.arn, each.topic, end, each.filter_policy, guard)
            elif keys - wanted:
                narrowed = narrowed_filter(bucket, keys & wanted)
                yield SetFilter(each.arn, narrowed, each.filter_policy or "")

    def test_files_off(self, bucket: Bucket) -> Iterator[Step]:
        left = self._left(bucket)
        locations = {each.location for each in self._gone}
        locations |= {each.logging.location for each in self._off}
        for location in sorted(locations):
            if location.bucket == bucket.name and location.mark and location.digest in left:
                yield DeleteTestFile(location, Guard(bucket.name, location))

    def bucket_off(self, bucket: Bucket) -> Iterator[Step]:
        """Delete a bucket of ours that nobody uses, and take our statements out of one that stays.

        A bucket of ours goes with its policy, or, where it holds logs, stays without our claims;
        so the register is the last thing to go either way.
        """
        ours = bucket.maker is not None or self._made(bucket)
        if ours and not self._staying_in(bucket) and not self._logs_to(bucket.name):
            yield DeleteBucket(bucket.name, Guard(bucket.name))
        sids = {each.sid for each in self._gone if each.location.bucket == bucket.name}
        edit = policy.Edit(drop=frozenset(sids))
        if edit.applied(bucket.policy) != bucket.policy:
            yield EditPolicy(bucket.name, edit)

    def _logs_to(self, bucket: str) -> bool:
        going = {each.arn for each in self._off}
        return any(
            self._placed.get(each.arn, each.logging).enabled
            and self._placed.get(each.arn, each.logging).bucket == bucket
            for each in self._state.load_balancers.values()
            if each and each.arn not in going
        )


def _end(subscription: Subscription) -> Endpoint:
    return Endpoint("sqs" if subscription.protocol == "sqs" else "https", subscription.endpoint)
