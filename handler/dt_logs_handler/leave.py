"""Pure functions that plan removals, in an order that lets a later run finish them."""

from collections.abc import Iterator, Sequence

from . import model, notifications
from .names import unmarked
from .notifications import (
    TOPIC_SID,
    NotificationEdit,
    encoded,
    endpoint_of,
    filtered,
    narrowed_filter,
)
from .place import Placed, is_claimed
from .register import PolicyEdit, Registration, disarming
from .request import Request


def leaving(
    request: Request, state: model.State, placed: Sequence[Placed], claimed: Sequence[Registration]
) -> tuple[list[model.Step], tuple[str, ...]]:
    """Return the steps that remove what the stack no longer claims, and descriptions of what stays.

    The first steps end the vendor's read access; the last ones remove the registrations. Anything
    that stacks share stays as long as another stack's registration covers it.
    """
    view = _View(request, state, placed, claimed)
    steps = [step for bucket in view.buckets.values() for step in view.rights_off(bucket)]
    for name, closed in state.buckets.items() if request.kind == "Delete" else ():
        if isinstance(closed, model.Unreadable):
            edit = disarming(closed.registered(name, request.stack), request.stack)
            if edit.applied(closed.policy) != closed.policy:
                steps.append(model.EditPolicy(name, edit))
    for each in view.off:
        off = model.Logging(False, each.logging.bucket, unmarked(each.logging.prefix))
        steps.append(model.SetLogging(each.arn, each.logging, off))
    for bucket in view.buckets.values():
        steps += view.notifications_off(bucket)
    steps += view.subscriptions_off()
    for bucket in view.buckets.values():
        steps += view.bucket_off(bucket)
    return steps, tuple(view.kept)


class _View:
    """Plans what to remove if the stack keeps only the claims in `claimed`."""

    def __init__(
        self,
        request: Request,
        state: model.State,
        placed: Sequence[Placed],
        claimed: Sequence[Registration],
    ) -> None:
        self.kept: list[str] = []
        self._request = request
        self._stack = request.stack
        self._state = state
        everyone = state.register(self._stack)
        tag = self._stack.tag
        self._mine = [each for each in everyone if each.stack == tag]
        self._staying = [*claimed, *(each for each in everyone if each.stack != tag)]
        self._used = {each.location_digest for each in self._staying}
        kept = {each.location.digest for each in claimed}
        self._gone = [each for each in self._mine if each.location_digest not in kept]
        to = {each.load_balancer.arn: each.to for each in placed}
        found = [each for each in state.load_balancers.values() if each]
        self.off = [each for each in found if each.arn not in to and self._goes(each)]
        to |= {each.arn: model.Logging() for each in self.off}
        after = [to.get(each.arn, each.logging) for each in found]
        self._logged_to = {each.bucket for each in after if each.enabled}
        # If two stacks are removed at the same time, each may see the other's claim, and keep what
        # they share. By the next look, their registrations may be gone, so the endpoints in the
        # properties count too.
        self._ends = request.endpoints | {each.endpoint for each in self._mine}
        self._left = {each.location.bucket for each in self._gone}
        self._left |= {each.logging.bucket for each in self.off}
        self.buckets = {
            each.name: each
            for each in state.present()
            if each.name in self._left or self._made(each) or request.kind == "Delete"
        }

    def _made(self, bucket: model.Bucket) -> bool:
        return bucket.maker == self._stack.tag or bucket.name in self._stack.own_buckets

    def _goes(self, found: model.LoadBalancer) -> bool:
        """Return whether to turn off a load balancer's logging.

        True if this stack turned it on, or claims logging that another of our stacks turned on, and
        if no other stack claims it.
        """
        tag = self._state.turned_on(found.logging, self._stack)
        return (
            tag is not None
            and not is_claimed(found, self._request, self._state, others=True)
            and (tag == self._stack.tag or is_claimed(found, self._request, self._state))
        )

    def _staying_in(self, bucket: str) -> list[Registration]:
        return [each for each in self._staying if each.location.bucket == bucket]

    def _gone_from(self, bucket: model.Bucket) -> list[Registration]:
        return [each for each in self._gone if each.location.bucket == bucket.name]

    def rights_off(self, bucket: model.Bucket) -> Iterator[model.Step]:
        """Yield the step that ends the vendor's read access; the registrations stay for now."""
        if gone := self._gone_from(bucket):
            yield from _edited(bucket, disarming(gone, self._stack))

    def notifications_off(self, bucket: model.Bucket) -> Iterator[model.Step]:
        """Yield the step that removes our notifications for locations that no stack claims.

        This includes notifications that another stack put: if two stacks are removed at the same
        time, each may see the other's claim and keep what they share.
        """
        drop = frozenset(
            each
            for each in notifications.own(bucket.notifications)
            if notifications.location_digest(each) not in self._used
        )
        if drop:
            yield model.EditNotifications(bucket.name, NotificationEdit(drop=drop))

    def subscriptions_off(self) -> Iterator[model.Step]:
        topics = dict(self._state.topics or {})
        for name, bucket in self._state.buckets.items():
            topic = topics.pop(self._stack.topic_arn(name), None)
            if isinstance(bucket, model.Unreadable):
                continue
            if self._state.topics is None:
                self._keep_topic(name)
            elif topic:
                yield from self._own_topic_off(name, topic)
        for topic in filter(None, topics.values()):
            for each in topic.subscriptions:
                yield from self._narrowed(each)

    def _keep_topic(self, bucket: str) -> None:
        """Record the topic or subscription that stays because the role may not delete it."""
        arn, staying = self._stack.topic_arn(bucket), self._staying_in(bucket)
        found = self.buckets.get(bucket)
        left = bucket in self._left or bool(found and notifications.own(found.notifications))
        if isinstance(self._state.buckets[bucket], model.Absent):
            left = self._state.lost
        ends = {each.endpoint for each in self._mine if each.location.bucket == bucket}
        if left and not staying:
            self.kept.append(
                f"the unused topic {arn} and its subscription, if they exist"
                f" (the role may not delete the topic: aws sns delete-topic --topic-arn {arn})"
            )
        elif staying and ends - {each.endpoint for each in staying}:
            self.kept.append(
                f"the earlier endpoint's subscription to {arn} (the role may not end it:"
                f" aws sns list-subscriptions-by-topic --topic-arn {arn}, then aws sns unsubscribe"
                " --subscription-arn)"
            )

    def _own_topic_off(self, bucket: str, topic: model.Topic) -> Iterator[model.Step]:
        """Yield the steps that delete our own topic if nobody uses it, or end our subscriptions.

        Also records the topic or subscription that stays.
        """
        staying, properties = self._staying_in(bucket), self._request.properties
        used = {each.endpoint for each in staying}
        goes = bucket in self.buckets
        if isinstance(self._state.buckets[bucket], model.Absent):
            goes = properties is None or bucket not in self._logged_to
            if properties and not goes:
                used.add(properties.endpoint.digest)
        ours = [e for e in topic.subscriptions if endpoint_of(e).digest in self._ends - used]
        if goes and not staying:
            if TOPIC_SID not in topic.policy:
                self.kept.append(f"topic {topic.arn}, which is not ours")
            elif all(each in ours or not each.confirmed for each in topic.subscriptions):
                yield model.DeleteTopic(topic.arn, bucket)
                return
            else:
                self.kept.append(f"topic {topic.arn}, to which somebody else is subscribed")
        for each in ours:
            if each.confirmed:
                yield _ended(each, bucket, live=bool(staying))
            else:
                self.kept.append(
                    f"the subscription of {endpoint_of(each).shown} to {each.topic}, which awaits"
                    " confirmation and which AWS removes by itself"
                )

    def _narrowed(self, found: model.Subscription) -> Iterator[model.Step]:
        """Yield the step that narrows or ends one of our subscriptions to a foreign topic."""
        ours = filtered(found, self._stack)
        end = endpoint_of(found).digest
        # If the bucket was not read, keep the subscription: another stack may need it.
        if (
            ours
            and end in self._ends
            and isinstance(self._state.buckets.get(ours[0]), model.Bucket)
        ):
            bucket, keys = ours
            wanted = keys & {
                encoded(each.location.log_prefix(self._stack))
                for each in self._staying_in(bucket)
                if each.endpoint == end
            }
            if not wanted:
                yield _ended(found, bucket, live=True)
            elif wanted != keys:
                yield model.SetFilter(bucket, found.arn, narrowed_filter(bucket, wanted))

    def bucket_off(self, bucket: model.Bucket) -> Iterator[model.Step]:
        """Yield the steps that delete the test files, our unused bucket, and our statements.

        Deleting a bucket deletes its policy. A bucket that holds logs stays, but without our
        statements. In both cases, this stack's registrations are removed last.
        """
        gone = self._gone_from(bucket)
        tested = {each.location for each in gone if each.turned_on}
        tested |= {e.logging.location for e in self.off if e.logging.bucket == bucket.name}
        for location in sorted(tested):
            if location.digest not in self._used:
                yield model.DeleteTestFile(location)
        ours = bucket.maker is not None or self._made(bucket)
        if ours and not self._staying_in(bucket.name) and bucket.name not in self._logged_to:
            yield model.DeleteBucket(bucket.name)
        yield from _edited(bucket, PolicyEdit(drop=frozenset(each.sid for each in gone)))


def _edited(bucket: model.Bucket, edit: PolicyEdit) -> Iterator[model.Step]:
    if edit.applied(bucket.policy) != bucket.policy:
        yield model.EditPolicy(bucket.name, edit)


def _ended(found: model.Subscription, bucket: str, *, live: bool) -> model.Step:
    return model.Unsubscribe(found.arn, found.topic, endpoint_of(found), bucket, live)
