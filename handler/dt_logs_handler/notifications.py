"""Editing a bucket's notifications, and finding out what S3 would refuse; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import quote_plus, unquote_plus

from .documents import Configuration, Json, listed, texts
from .errors import Refused
from .names import Location, Stack, is_own_notification

SUFFIX = ".log.gz"
EVENT = "s3:ObjectCreated:*"
KINDS = ("TopicConfigurations", "QueueConfigurations", "LambdaFunctionConfigurations")


@dataclass(frozen=True)
class NotificationEdit:
    """Entries to put, by Id, and Ids to drop; the rest of the configuration is not ours."""

    put: tuple[dict[str, Json], ...] = ()
    drop: frozenset[str] = frozenset()

    def applied(self, configuration: Configuration) -> Configuration:
        """Return the whole configuration after the edit. Repeatable."""
        put = {str(each["Id"]): each for each in self.put}
        going = {*put, *self.drop}
        result = dict(configuration)
        for kind in KINDS:
            kept: list[Json] = []
            for item in listed(result.pop(kind, None)):
                identifier = _id(item)
                if kind == KINDS[0] and identifier in put:
                    new = put.pop(identifier)
                    kept.append(item if _same(item, new) else new)
                elif identifier not in going:
                    kept.append(item)
            if kept:
                result[kind] = kept
        if put:
            result[KINDS[0]] = [*listed(result.get(KINDS[0])), *put.values()]
        return result


def entry(location: Location, topic: str, stack: Stack) -> dict[str, Json]:
    """Return our notification for a location: the account's log objects in the region."""
    return {
        "Id": location.notification_id,
        "TopicArn": topic,
        "Events": [EVENT],
        "Filter": {
            "Key": {
                "FilterRules": [
                    {"Name": "prefix", "Value": encoded(location.log_prefix(stack))},
                    {"Name": "suffix", "Value": SUFFIX},
                ]
            }
        },
    }


def entries(configuration: Configuration) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yield each entry with the kind of list that it is in."""
    for kind in KINDS:
        for item in listed(configuration.get(kind)):
            if isinstance(item, dict):
                yield kind, item


def own(configuration: Configuration) -> dict[str, dict[str, Json]]:
    """Return our entries, of any stack and format, by Id."""
    return {_id(item): item for _, item in entries(configuration) if is_own_notification(_id(item))}


def location_digest(identifier: str) -> str:
    """Return the digest of the location that one of our notifications, by its Id, is for."""
    return identifier[-16:-8]


def covering_topic(
    configuration: Configuration, location: Location, stack: Stack, *, share: bool
) -> str | None:
    """Return the foreign topic that already announces a location, or None.

    None means that our own notification can be put. S3 refuses two entries that share an event type
    if both prefix and suffix overlap (the error `ambiguously defined`). If one is in the way, only
    a topic that gets every log object there will do, and only if the role may `share` it. Otherwise
    raises Refused, which names the entry.
    """
    ours = location.log_prefix(stack)
    in_the_way = []
    for kind, item in _others(configuration):
        events, prefix, suffix = _rule(item)
        if (
            any(fnmatchcase(EVENT, each) or fnmatchcase(each, EVENT) for each in events)
            and (ours.startswith(prefix) or prefix.startswith(ours))
            and (SUFFIX.endswith(suffix) or suffix.endswith(SUFFIX))
        ):
            covers = EVENT in events and ours.startswith(prefix) and SUFFIX.endswith(suffix)
            in_the_way.append((kind, item, covers))
    for kind, item, covers in in_the_way:
        topic = str(item.get("TopicArn"))
        sole = share and covers and len(in_the_way) == 1
        if sole and topic in foreign_topics(configuration, stack):
            return topic
        raise Refused(
            f"Bucket {location.bucket} announces objects below {location.prefix or 'its root'} by"
            f" the notification {_named(item)} ({kind}), and S3 allows no second one for them.",
            "Give it a prefix or suffix that leaves out the load balancer's logs, or send it to an"
            " SNS topic for all created objects, then run the stack again."
            if share
            else "Give it a prefix or suffix that leaves out the load balancer's logs, then run the"
            " stack again.",
            location.bucket,
        )
    return None


def foreign_topics(configuration: Configuration, stack: Stack) -> set[str]:
    """Return the account's foreign topics that are notified of every created object."""
    local = f"arn:{stack.partition}:sns:{stack.region}:{stack.account}:"
    return {
        topic
        for _, item in _others(configuration)
        if EVENT in _rule(item)[0]
        for topic in texts(item.get("TopicArn"))
        if topic.startswith(local) and not topic.endswith(".fifo")
    }


def _others(configuration: Configuration) -> list[tuple[str, dict[str, Json]]]:
    """Return the foreign entries, each with its kind."""
    found = entries(configuration)
    return [(kind, item) for kind, item in found if not is_own_notification(_id(item))]


def _named(item: dict[str, Json]) -> str:
    target = next((item[key] for key in item if key.endswith("Arn")), "its destination")
    return f"{_id(item) or '(no Id)'} to {target}"


def encoded(key: str) -> str:
    """Encode a key as S3 does in notification filters and events."""
    return quote_plus(key, safe="/!-_.*'()")


def _rule(item: Mapping[str, Json]) -> tuple[list[str], str, str]:
    """Return an entry's events, prefix and suffix; S3 may capitalise filter names."""
    found = {"prefix": "", "suffix": ""}
    rules: Json = item.get("Filter")
    for key in ("Key", "FilterRules"):
        rules = rules.get(key) if isinstance(rules, dict) else None
    for rule in listed(rules):
        if isinstance(rule, dict):
            found[str(rule.get("Name")).lower()] = unquote_plus(str(rule.get("Value", "")))
    return texts(item.get("Events")), found["prefix"], found["suffix"]


def _same(item: Json, new: Mapping[str, Json]) -> bool:
    return (
        isinstance(item, dict)
        and _rule(item) == _rule(new)
        and item.get("TopicArn") == new.get("TopicArn")
    )


def _id(item: Json) -> str:
    identifier = item.get("Id") if isinstance(item, dict) else None
    return identifier if isinstance(identifier, str) else ""
