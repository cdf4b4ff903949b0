"""Editing a bucket's notifications, and finding out beforehand what S3 would refuse."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus, unquote_plus

from .documents import Json, listed, texts
from .errors import Refused
from .marks import Location, Stack, is_own_notification

SUFFIX = ".log.gz"
EVENT = "s3:ObjectCreated:*"
KINDS = ("TopicConfigurations", "QueueConfigurations", "LambdaFunctionConfigurations")
Configuration = Mapping[str, Json]  # S3's notification configuration, as boto3 shows it


@dataclass(frozen=True)
class Edit:
    """Entries to put, by Id, and Ids to drop; the rest of the configuration is not ours."""

    put: tuple[dict[str, Json], ...] = ()
    drop: frozenset[str] = frozenset()

    def applied(self, configuration: Configuration) -> Configuration:
        """Return the whole configuration after the edit. Repeatable."""
        put = {str(entry["Id"]): entry for entry in self.put}
        result: dict[str, Json] = {}
        for kind, value in configuration.items():
            if kind not in KINDS:
                result[kind] = value
                continue
            kept: list[Json] = []
            for entry in listed(value):
                identifier = _id(entry)
                if identifier in put and kind == "TopicConfigurations":
                    new = put.pop(identifier)
                    kept.append(entry if _same(entry, new) else new)
                elif identifier not in self.drop and identifier not in put:
                    kept.append(entry)
            if kept:
                result[kind] = kept
        if put:
            result["TopicConfigurations"] = [
                *listed(result.get("TopicConfigurations")),
                *put.values(),
            ]
        return result


def entry(location: Location, topic: str, stack: Stack) -> dict[str, Json]:
    """Return our notification: log objects of the account and region at a location."""
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
    """Return the digest of the location that a notification of ours, by its Id, is for."""
    return identifier[-16:-8]


def covering_topic(
    configuration: Configuration, location: Location, stack: Stack, *, share: bool
) -> str | None:
    """Find out who announces a location already.

    Returns None where our own notification can be put, or, if the role may `share` one, the ARN of
    a foreign topic that is told of every log object there. S3 refuses two entries that share an
    event type where both prefix and suffix overlap (the error `ambiguously defined`). Raises
    Refused, which names the entry in the way, where neither is possible.
    """
    ours = _rule(entry(location, "", stack))
    in_the_way = [
        (kind, item)
        for kind, item in entries(configuration)
        if not is_own_notification(_id(item)) and _overlap(ours, _rule(item))
    ]
    if not in_the_way:
        return None
    kind, item = in_the_way[0]
    topic = item.get("TopicArn")
    if (
        share
        and len(in_the_way) == 1
        and isinstance(topic, str)
        and topic in foreign_topics(configuration, stack)
        and _covers(_rule(item), ours)
    ):
        return topic
    raise refusal(location, kind, item)


def foreign_topics(configuration: Configuration, stack: Stack) -> set[str]:
    """Return the topics of this account, not ours, that are told of every created object."""
    local = f"arn:{stack.partition}:sns:{stack.region}:{stack.account}:"
    return {
        topic
        for kind, item in entries(configuration)
        if not is_own_notification(_id(item)) and EVENT in _rule(item).events
        for topic in texts(item.get("TopicArn"))
        if topic.startswith(local) and not topic.endswith(".fifo")
    }


def refusal(location: Location, kind: str, item: dict[str, Json]) -> Refused:
    """Return the refusal that names a notification in the way."""
    return Refused(
        f"Bucket {location.bucket} already announces objects below"
        f" {location.prefix or 'its root'} by the notification {_id(item) or '(no Id)'} to"
        f" {_target(item)} ({kind}), and S3 allows no second one for them.",
        "Give that notification a prefix or suffix that leaves out the load balancer's logs, or"
        " send it to an SNS topic for all created objects, which can be shared; then run again.",
        location.bucket,
    )


def unsound(bucket: str, configuration: Configuration, text: str) -> Refused:
    """Return the refusal for notifications of which S3 cannot reach a destination."""
    others = [
        f"{_id(item) or '(no Id)'} to {_target(item)}"
        for _, item in entries(configuration)
        if not is_own_notification(_id(item))
    ]
    return Refused(
        f"S3 does not accept the notifications of bucket {bucket}: {text.rstrip('.')}.",
        f"Others than ours there are: {'; '.join(others) or 'none'}. Remove each whose destination"
        " is gone or no longer lets S3 send, then run the stack again.",
        bucket,
    )


def _target(item: dict[str, Json]) -> str:
    return next((str(item[key]) for key in item if key.endswith("Arn")), "its destination")


def encoded(key: str) -> str:
    """Encode a key as S3 does in notification filters and events."""
    return quote_plus(key, safe="/!-_.*'()")


@dataclass(frozen=True)
class _Rule:
    events: tuple[str, ...]
    prefix: str
    suffix: str


def _rule(item: Mapping[str, Json]) -> _Rule:
    """Read an entry's events and filter; S3 answers filter names with a capital, at times."""
    found = {"prefix": "", "suffix": ""}
    rules: Json = item.get("Filter")
    for key in ("Key", "FilterRules"):
        rules = rules.get(key) if isinstance(rules, dict) else None
    for rule in listed(rules):
        if isinstance(rule, dict):
            found[str(rule.get("Name")).lower()] = unquote_plus(str(rule.get("Value", "")))
    return _Rule(tuple(texts(item.get("Events"))), found["prefix"], found["suffix"])


def _overlap(one: _Rule, other: _Rule) -> bool:
    return (
        any(_matches(a, b) or _matches(b, a) for a in one.events for b in other.events)
        and (one.prefix.startswith(other.prefix) or other.prefix.startswith(one.prefix))
        and (one.suffix.endswith(other.suffix) or other.suffix.endswith(one.suffix))
    )


def _covers(wide: _Rule, narrow: _Rule) -> bool:
    return (
        EVENT in wide.events
        and narrow.prefix.startswith(wide.prefix)
        and narrow.suffix.endswith(wide.suffix)
    )


def _matches(pattern: str, event: str) -> bool:
    return pattern == event or (pattern.endswith("*") and event.startswith(pattern[:-1]))


def _same(item: Json, new: Mapping[str, Json]) -> bool:
    return (
        isinstance(item, dict)
        and _rule(item) == _rule(new)
        and item.get("TopicArn") == new.get("TopicArn")
    )


def _id(item: Json) -> str:
    identifier = item.get("Id") if isinstance(item, dict) else None
    return identifier if isinstance(identifier, str) else ""
