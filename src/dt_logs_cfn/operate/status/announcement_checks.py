"""Check whether new log objects are announced to the vendor, and to whom else; pure."""

from collections.abc import Iterator, Mapping

from dt_logs_cfn.operate.account import TopicSeen, Unread
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_cfn.operate.status.bucket_checks import RUN_AGAIN
from dt_logs_cfn.operate.status.seen import (
    Announced,
    Check,
    Logs,
    denied_check,
    unread_check,
)
from dt_logs_handler import notifications
from dt_logs_handler.documents import Json, parsed, same
from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Subscription
from dt_logs_handler.names import is_own_notification
from dt_logs_handler.notifications import encoded
from dt_logs_handler.request import Endpoint
from dt_logs_handler.topics import ENDED, RETRIES, filtered, topic_policy

_CONFIRMED_WITHIN = 3600.0  # seconds in which a pending confirmation is normal


def checks(logs: Logs) -> Iterator[Check]:
    """Yield the checks of how a load balancer's logs are announced."""
    name, seen = "notification", logs.seen
    if denied := seen.denial(logs.bucket.name, "GetBucketNotificationConfiguration"):
        yield denied_check(name, logs.subject, denied)
        return
    own, topic = logs.topic()
    check, through = _notification(logs, own)
    yield check
    yield _others(logs)
    yield _other_logs(logs, announced=bool(through))
    unread = seen.denial(logs.bucket.name, "GetBucketPolicy")
    if not through or not (unread or seen.claims(logs.load_balancer)):
        return
    if denied := seen.denial(through, "GetTopicAttributes"):
        yield denied_check("topic", logs.subject, denied)
    elif through == own:
        yield _topic(logs, own, topic.policy if topic else None)
        if topic:
            yield _retries(logs, topic)
    if denied := unread or seen.denial(through, "ListSubscriptionsByTopic"):
        yield denied_check("subscription", logs.subject, denied)
    elif seen.topics.get(through):
        yield from _subscriptions(logs, through, foreign=through != own)
        yield _counts(logs, through, foreign=through != own)


def _notification(logs: Logs, own: str) -> tuple[Check, str]:
    """Check what announces the location; also return the topic, empty if there is none."""
    name, seen, configuration = "notification", logs.seen, logs.bucket.notifications
    wanted = notifications.entry(logs.location, own, seen.marks)
    if notifications.NotificationEdit((wanted,)).applied(configuration) == configuration:
        return Check(name, logs.subject, f"new logs are announced to {own}", "ok"), own
    if logs.location.notification_id in notifications.own(configuration):
        saw = f"the notification {logs.location.notification_id} was changed"
        return Check(name, logs.subject, saw, "finding", RUN_AGAIN), own
    try:
        topic = notifications.covering_topic(configuration, logs.location, seen.marks, share=True)
    except Refused as why:
        return Check(name, logs.subject, why.what, "finding", why.fix), ""
    if topic is None:
        saw = "nothing announces new logs"
        fix = RUN_AGAIN if seen.claims(logs.load_balancer) else "Onboard it: `plan` shows how."
        return Check(name, logs.subject, saw, "finding", fix), ""
    saw = f"your own topic {topic} gets all new objects"
    return Check(name, logs.subject, saw, "ok"), topic


def _others(logs: Logs) -> Check:
    """Show who else is notified of the bucket's objects; never a finding."""
    found = [
        next((str(item[key]) for key in item if key.endswith("Arn")), "somebody")
        for _, item in notifications.entries(logs.bucket.notifications)
        if not is_own_notification(str(item.get("Id", "")))
    ]
    if "EventBridgeConfiguration" in logs.bucket.notifications:
        found.append("EventBridge")
    return Check("who else listens", logs.subject, ", ".join(found) or "nobody", "ok")


def _other_logs(logs: Logs, *, announced: bool) -> Check:
    """Show which other logs are announced: S3 filters only by prefix and suffix."""
    name = "other logs"
    if denied := logs.seen.denial(logs.bucket.name, "ListObjectsV2"):
        return denied_check(name, logs.subject, denied)
    found = logs.seen.other_logs.get(logs.location)
    if not found:
        return Check(name, logs.subject, "none in the same place since yesterday", "ok")
    saw = f"{' and '.join(found)} logs land in the same place"
    if announced:
        saw += " and are announced, too; Data Theorem cannot read them"
    return Check(name, logs.subject, saw, "ok")


def _topic(logs: Logs, arn: str, policy: str | None) -> Check:
    name = "topic"
    if policy is None:
        return Check(name, logs.subject, f"topic {arn} does not exist", "finding", RUN_AGAIN)
    if _same(policy, topic_policy(logs.bucket.name, logs.seen.marks)):
        return Check(name, logs.subject, "S3 may publish, for this bucket only", "ok")
    return Check(
        name,
        logs.subject,
        f"the policy of topic {arn} was changed",
        "finding",
        f"Delete it (aws sns delete-topic --topic-arn {arn}). {RUN_AGAIN}",
    )


def _retries(logs: Logs, topic: TopicSeen) -> Check:
    """Check whether SNS retries a failed delivery for as long as it can."""
    name = "delivery retries"
    wanted, found = _retry_policy(RETRIES), _retry_policy(topic.delivery_policy)
    if wanted.items() <= found.items():
        return Check(name, logs.subject, "failed announcements are retried for an hour", "ok")
    return Check(
        name,
        logs.subject,
        "failed announcements are not retried for as long as SNS can",
        "finding",
        f"aws sns set-topic-attributes --topic-arn {topic.arn} --attribute-name DeliveryPolicy"
        f" --attribute-value '{RETRIES}'",
    )


def _retry_policy(delivery_policy: str) -> Mapping[str, Json]:
    """Return a topic's retry policy for https."""
    try:
        found: Json = parsed(delivery_policy)
    except ValueError:
        return {}
    for key in ("http", "defaultHealthyRetryPolicy"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _same(one: str, other: str) -> bool:
    try:
        return same(one, other)
    except ValueError:
        return False


def _subscriptions(logs: Logs, arn: str, *, foreign: bool) -> Iterator[Check]:
    """Yield a check of each stack's subscription; stacks may share an endpoint."""
    name, topic = "subscription", logs.seen.topics[arn]
    ends = {each.endpoint: each for each in logs.seen.claims(logs.load_balancer)}
    for claim in ends.values() if topic else ():
        found = logs.subscribed(topic, claim) if topic else None
        if found is None:
            saw = f"the endpoint of stack {logs.seen.called(claim.stack)} is not subscribed"
            yield Check(name, logs.subject, saw, "finding", RUN_AGAIN)
            continue
        if found.arn == ENDED:
            yield Check(
                name,
                logs.subject,
                f"the owner of the endpoint of stack {logs.seen.called(claim.stack)} has ended its"
                " subscription",
                "finding",
                f"Ask Data Theorem why. {RUN_AGAIN} Their endpoint has to confirm it again.",
            )
            continue
        shown = Endpoint("sqs" if found.protocol == "sqs" else "https", found.endpoint).shown
        if not found.confirmed:
            yield _pending(logs, shown, logs.seen.changed(claim.stack))
        elif foreign:
            yield _filter(logs, found, shown)
        else:
            yield Check(name, logs.subject, f"{shown} is subscribed", "ok")


def _pending(logs: Logs, shown: str, since: float) -> Check:
    """Judge a subscription that is not confirmed, of a stack that was changed last at `since`."""
    name, saw = "subscription", f"{shown} awaits confirmation"
    if logs.seen.now - since <= _CONFIRMED_WITHIN:
        fix = "Data Theorem's endpoint confirms it by itself. Look again within the hour."
        return Check(name, logs.subject, saw, "waiting", fix)
    fix = "Have Data Theorem's endpoint confirm it. SNS removes it after some days; then run"
    return Check(name, logs.subject, saw, "finding", f"{fix} the stack again.")


def _counts(logs: Logs, arn: str, *, foreign: bool) -> Check:
    """Judge what SNS delivered in the last day; only a final failure is certainly a loss.

    SNS retries a delivery over https by the topic's delivery policy, except after a 4xx, and
    counts each attempt [SNS guide, sns-message-delivery-retries.md].
    """
    name, counts, topic = "announcements", logs.seen.announced, logs.seen.topics[arn]
    if isinstance(counts, Unread):
        return unread_check(name, logs.subject, counts)
    found = counts.get(arn, Announced())
    of = ", of all that your topic carries" if foreign else ""
    saw = f"{found.delivered:,} delivered in the last day, {found.failed:,} failed{of}"
    if not found.failed:
        return Check(name, logs.subject, saw, "ok")
    fix = f"Have Data Theorem check its endpoint, and look again.{_replay(logs, found.gap)}"
    if not any(each.protocol == "https" for each in (topic.subscriptions if topic else ())):
        return Check(
            name, logs.subject, saw, "finding", f"The failed announcements are lost. {fix}"
        )
    fix = f"Over https these are attempts, which SNS repeats unless the answer was a 4xx. {fix}"
    if foreign:
        fix = f"{fix} Your topic has its own delivery policy."
    return Check(name, logs.subject, saw, "unknown" if found.delivered else "finding", fix)


def _replay(logs: Logs, gap: Window | None) -> str:
    """Offer to announce again what was not delivered, for each stack whose name is known."""
    known = {} if isinstance(logs.seen.stack_names, Unread) else logs.seen.stack_names
    tags = {each.stack for each in logs.seen.claims(logs.load_balancer)}
    commands = [f"`dt-logs-cfn replay --stack {known[tag]} {gap}`" for tag in tags & known.keys()]
    if gap is None or not commands:
        return ""
    return f" Once it answers, announce again what it missed: {' and '.join(sorted(commands))}."


def _filter(logs: Logs, found: Subscription, shown: str) -> Check:
    """Check whether a subscription to a foreign topic lets this location's logs through."""
    name, marks = "subscription", logs.seen.marks
    if denied := logs.seen.denial(found.arn, "GetSubscriptionAttributes"):
        return denied_check(name, logs.subject, denied)
    passed = filtered(found, marks)
    if (
        passed
        and passed[0] == logs.bucket.name
        and encoded(logs.location.log_prefix(marks)) in passed[1]
    ):
        return Check(name, logs.subject, f"{shown} is subscribed, for these logs", "ok")
    saw = f"the filter of {shown}'s subscription excludes these logs"
    return Check(name, logs.subject, saw, "finding", RUN_AGAIN)
