"""Check whether new log files are announced to the vendor, and list other recipients; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dt_logs_cfn.operate.account import TopicSeen, Unread
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_cfn.operate.status.seen import (
    ONBOARD,
    RUN_AGAIN,
    Check,
    Logs,
    Named,
    Seen,
    finding,
    ok,
    unknown,
    unread,
)
from dt_logs_handler import notifications
from dt_logs_handler.documents import Json, parsed, same
from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Subscription, Topic
from dt_logs_handler.names import digest, is_own_notification
from dt_logs_handler.notifications import RETRIES, encoded, filtered, topic_policy
from dt_logs_handler.observe import ENDED
from dt_logs_handler.request import Endpoint

_CONFIRMED_WITHIN = 3600.0  # seconds in which a pending confirmation is normal


def checks(logs: Logs) -> Iterator[Named]:
    """Yield the checks of how a load balancer's logs are announced."""
    seen = logs.seen
    if denied := seen.denial(logs.bucket.name, "GetBucketNotificationConfiguration"):
        yield "notification", unread(denied)
        return
    own = seen.here.topic_arn(logs.bucket.name)
    found, through = _notification(logs, own)
    yield "notification", found
    yield "who else listens", _others(logs)
    others = seen.other_logs.get(logs.location, ())
    yield logs.check("other logs", lambda _: _other_logs(others, bool(through)), "ListObjectsV2")
    policy = seen.denial(logs.bucket.name, "GetBucketPolicy")
    if not through or not (policy or logs.claims or logs.was_onboarded):
        return
    topic = seen.topics.get(through)
    if denied := seen.denial(through, "GetTopicAttributes"):
        yield "topic", unread(denied)
    elif through == own:
        yield "topic", _topic(logs, own, topic)
        if topic:
            yield "delivery retries", _retries(topic)
    if denied := policy or seen.denial(through, "ListSubscriptionsByTopic"):
        yield "subscription", unread(denied)
    elif topic:
        deliveries = _Deliveries(logs, topic, foreign=through != own)
        for endpoint, tag in logs.endpoints.items():
            yield "subscription", deliveries.subscription(endpoint, tag)
        if not logs.endpoints:
            why = "the endpoint to subscribe is unknown, as the bucket policy does not name a stack"
            fix = "Check the stack: `dt-logs-cfn status` reads the endpoint from its parameters."
            yield "subscription", unknown(why, fix)
        yield "announcements", deliveries.counts()


def _notification(logs: Logs, own: str) -> tuple[Check, str]:
    """Check the location's notification; also return its topic, empty if there is none."""
    here, configuration = logs.seen.here, logs.bucket.notifications
    wanted = notifications.entry(logs.location, own, here)
    if notifications.NotificationEdit((wanted,)).applied(configuration) == configuration:
        return ok(f"new logs are announced to {own}"), own
    if logs.location.notification_id in notifications.own(configuration):
        saw = f"the notification {logs.location.notification_id} was changed"
        return finding(saw, RUN_AGAIN), own
    try:
        topic = notifications.covering_topic(configuration, logs.location, here, share=True)
    except Refused as why:
        return finding(why.what, why.fix), ""
    if topic is None:
        onboarded = logs.claims or logs.was_onboarded
        fix = RUN_AGAIN if onboarded else ONBOARD
        return finding("nothing announces new logs", fix), ""
    return ok(f"your own topic {topic} gets all new objects"), topic


def _others(logs: Logs) -> Check:
    """Return an ok check that lists the other recipients of the bucket's notifications."""
    found = [
        next((str(item[key]) for key in item if key.endswith("Arn")), "somebody")
        for _, item in notifications.entries(logs.bucket.notifications)
        if not is_own_notification(str(item.get("Id", "")))
    ]
    if "EventBridgeConfiguration" in logs.bucket.notifications:
        found.append("EventBridge")
    return ok(", ".join(found) or "nobody")


def _other_logs(found: tuple[str, ...], announced: bool) -> Check:
    """Return an ok check that names other kinds of logs at the location.

    S3 announces such logs with the access logs, because it filters only by prefix and suffix.
    """
    if not found:
        return ok("none in the same place since yesterday")
    more = " and are announced, too; Data Theorem cannot read them" if announced else ""
    return ok(f"{' and '.join(found)} logs land in the same place{more}")


def _topic(logs: Logs, arn: str, found: TopicSeen | None) -> Check:
    if found is None:
        return finding(f"topic {arn} does not exist", RUN_AGAIN)
    try:
        if same(found.policy, topic_policy(logs.bucket.name, logs.seen.here)):
            return ok("S3 may publish, for this bucket only")
    except ValueError:  # it is not JSON
        pass
    return finding(
        f"the policy of topic {arn} was changed",
        f"Delete it (aws sns delete-topic --topic-arn {arn}). {RUN_AGAIN}",
    )


def _retries(topic: TopicSeen) -> Check:
    """Check whether SNS retries a failed delivery for the longest possible time."""
    wanted, found = _retry_policy(RETRIES), _retry_policy(topic.delivery_policy)
    if wanted.items() <= found.items():
        return ok("failed announcements are retried for an hour")
    return finding(
        "failed announcements are not retried for as long as SNS allows",
        f"aws sns set-topic-attributes --topic-arn {topic.arn} --attribute-name DeliveryPolicy"
        f" --attribute-value '{RETRIES}'",
    )


def _retry_policy(delivery_policy: str) -> Mapping[str, Json]:
    """Return a topic's retry policy for https; empty if the topic does not have a valid one."""
    try:
        found: Json = parsed(delivery_policy)
    except ValueError:
        return {}
    for key in ("http", "defaultHealthyRetryPolicy"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class _Deliveries:
    """A topic's deliveries for a load balancer's logs; `foreign` is false for our own topic."""

    logs: Logs
    topic: Topic
    foreign: bool

    @property
    def _seen(self) -> Seen:
        return self.logs.seen

    def subscription(self, endpoint: str, tag: str) -> Check:
        """Judge the subscription that the stack with this tag made; `endpoint` is a digest."""
        ours = (e for e in self.topic.subscriptions if digest(e.endpoint, 8) == endpoint)
        found = min(ours, key=lambda each: each.arn == ENDED, default=None)
        stack = self._seen.called(tag)
        if found is None:
            return finding(f"the endpoint of stack {stack} is not subscribed", RUN_AGAIN)
        if found.arn == ENDED:
            return finding(
                f"the owner of the endpoint of stack {stack} has ended its subscription",
                f"Ask Data Theorem why. {RUN_AGAIN} Their endpoint has to confirm it again.",
            )
        shown = Endpoint("sqs" if found.protocol == "sqs" else "https", found.endpoint).shown
        if not found.confirmed:
            return self._pending(shown, self._seen.changed(tag))
        return self._filter(found, shown) if self.foreign else ok(f"{shown} is subscribed")

    def _pending(self, shown: str, since: float) -> Check:
        """Judge an unconfirmed subscription; `since` is the time of its stack's last change."""
        saw = f"{shown} awaits confirmation"
        if self._seen.now - since <= _CONFIRMED_WITHIN:
            fix = "Data Theorem's endpoint confirms it by itself. Check again within the hour."
            return Check("", "", saw, "waiting", fix)
        fix = "Have Data Theorem's endpoint confirm it. If SNS has removed it, run the stack"
        return finding(saw, f"{fix} again.")

    def _filter(self, found: Subscription, shown: str) -> Check:
        """Judge whether a subscription's filter at a foreign topic admits this location's logs."""
        if denied := self._seen.denial(found.arn, "GetSubscriptionAttributes"):
            return unread(denied)
        here, wanted = self._seen.here, self.logs.bucket.name
        ours = filtered(found, here)
        bucket, keys = ours or ("", ())
        if bucket == wanted and encoded(self.logs.location.log_prefix(here)) in keys:
            return ok(f"{shown} is subscribed, for these logs")
        saw = f"the filter of {shown}'s subscription excludes these logs"
        if bucket == wanted:
            return finding(saw, RUN_AGAIN)
        fix = f"Send bucket {wanted}'s objects to a topic of its own"
        if ours is None:
            whose = (
                "has a filter that is not the stack's" if found.filter_policy else "has no filter"
            )
            saw = f"the subscription of {shown} {whose}"
            fix = f"End it (aws sns unsubscribe --subscription-arn {found.arn})"
        return finding(saw, f"A run does not change that. {fix}, then run the stack again.")

    def counts(self) -> Check:
        """Judge SNS's deliveries in the last day; only a final failure is certainly a loss.

        SNS retries a delivery over https as the topic's delivery policy requires, except after a
        4xx, and counts each attempt [SNS guide, sns-message-delivery-retries.md].
        """
        counts = self._seen.announced
        if isinstance(counts, Unread):
            return unread(counts)
        found = counts[self.topic.arn]
        of = ", counting everything that your topic carries" if self.foreign else ""
        saw = f"{found.delivered:,} delivered in the last day, {found.failed:,} failed{of}"
        if not found.failed:
            return ok(saw)
        fix = f"Ask Data Theorem to check its endpoint, then check again.{self._replay(found.gap)}"
        if not any(each.protocol == "https" for each in self.topic.subscriptions):
            return finding(saw, f"The failed announcements are lost. {fix}")
        why = "Over https these are attempts, which SNS repeats unless the answer was a 4xx."
        fix = f"{why} {fix}{' Your topic has its own delivery policy.' if self.foreign else ''}"
        return unknown(saw, fix) if found.delivered else finding(saw, fix)

    def _replay(self, gap: Window | None) -> str:
        """Return the advice to announce missed logs again, for each stack with a known name."""
        known = self._seen.known_names
        tags = set(self.logs.endpoints.values())
        commands = [f"`dt-logs-cfn replay --stack {known[e]} {gap}`" for e in tags & known.keys()]
        if gap is None or not commands:
            return ""
        return f" Once it answers, announce again what it missed: {' and '.join(sorted(commands))}."
