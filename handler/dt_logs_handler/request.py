"""Turn the events of CloudFormation and of a schedule into checked requests."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from .errors import InvalidRequest
from .names import (
    ACCOUNT_ID,
    BUCKET_NAME,
    EVERY_LOAD_BALANCER,
    HTTPS_URL,
    LOAD_BALANCER_ARN,
    NAME,
    QUEUE_ARN,
    STACK_ID,
    Stack,
    digest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Literal, TypeVar

    from .names import Location

    Kind = Literal["Create", "Update", "Delete", "Refresh"]
    C = TypeVar("C", bound=Enum)

SERVICE_TIMEOUT = 1200  # seconds; the template's ServiceTimeout
_SKEW = 60.0  # seconds; AWS's clocks may differ by this much
_FOREIGN = "Let the stack invoke the function."
# AWS reserves the first prefix; our marks use the second.
_TAG = rf"(?!(?i:aws:)|{NAME}:)[\w +\-:/@.]{{1,128}}=[\w +\-=:/@.]{{0,256}}"


class Privileges(Enum):
    """The execution role that the handler runs under; a plan contains only what the role may do."""

    DOCUMENTED = "documented"
    LEAST_PRIVILEGE = "least-privilege"


class ReadScope(Enum):
    """The log files that the vendor may read outside the stack's own location."""

    LOAD_BALANCER = "LoadBalancer"
    LOCATION = "Location"


@dataclass(frozen=True)
class Endpoint:
    """The receiver of announcements; its address may contain a token, so print only `shown`."""

    protocol: Literal["https", "sqs"]
    address: str

    @property
    def digest(self) -> str:
        return digest(self.address, 8)

    @property
    def shown(self) -> str:
        """The address without the parts that may be secret."""
        https = self.protocol == "https"
        return f"https://{urlsplit(self.address).hostname}/…" if https else self.address

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True)
class Properties:
    """The custom resource's checked properties."""

    load_balancers: tuple[str, ...]  # ARNs, or EVERY_LOAD_BALANCER alone
    vendor: str
    endpoint: Endpoint
    bucket: str
    retention_days: int
    read_scope: ReadScope
    tags: tuple[tuple[str, str], ...]
    privileges: Privileges
    template_version: str
    handler_sha256: str

    @property
    def every(self) -> bool:
        return self.load_balancers == (EVERY_LOAD_BALANCER,)

    @property
    def digest(self) -> str:
        """The digest of the properties that decide where load balancers log.

        A rollback repeats the properties of an earlier request, so their digests are equal.
        """
        return digest("\n".join((*sorted(self.load_balancers), self.bucket)), 8)


@dataclass(frozen=True)
class Traces:
    """Values that show what a request may have left behind, read even from invalid properties."""

    load_balancers: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    every: bool = False
    privileges: Privileges = Privileges.DOCUMENTED
    endpoints: tuple[str, ...] = ()  # digests
    narrowed: tuple[str, ...] = ()  # ExistingLogBucketNames, which limits the role if set


@dataclass(frozen=True)
class Request:
    """One checked event. `properties` is None for a Delete, which needs only traces.

    An Update's `traces` are those of its old properties, but `traces.every` also covers the new
    ones.
    """

    kind: Kind
    stack: Stack
    time: int  # when the event was sent, in seconds since 1970
    properties: Properties | None
    traces: Traces
    asked: Traces = Traces()  # the traces of the new properties
    turned_on: tuple[Location, ...] = ()  # locations that this run registered as turned on

    @property
    def bucket(self) -> str:
        """The new LogBucketName, which the role covers; empty if it is not set or not valid."""
        return next(iter(self.asked.buckets), "")

    @property
    def narrowed(self) -> tuple[str, ...]:
        """The new ExistingLogBucketNames."""
        return self.asked.narrowed

    @property
    def privileges(self) -> Privileges:
        return self.asked.privileges

    @property
    def every(self) -> bool:
        """True if every load balancer matters: for a Delete, and for an old or new `*`."""
        return self.properties is None or self.traces.every

    @property
    def endpoints(self) -> set[str]:
        """The digests of the stack's endpoints, old and new."""
        return {*self.asked.endpoints, *self.traces.endpoints}

    def strays(self, bucket: str) -> bool:
        """Return whether this Update's rollback, under the old role, cannot clean up a bucket."""
        before = self.traces
        return (
            self.kind == "Update"
            and bucket not in (*self.stack.own_buckets, *before.buckets)
            and (bucket == self.bucket or bool(before.narrowed and bucket not in before.narrowed))
        )

    def deleted(self) -> Request:
        """Return a Delete of what this request and the previous one name."""
        now, before = self.asked, self.traces
        found = replace(
            before,
            load_balancers=_distinct((*now.load_balancers, *before.load_balancers)),
            buckets=_distinct((*now.buckets, *before.buckets)),
        )
        return replace(self, kind="Delete", properties=None, traces=found)


def parse(event: Mapping[str, object], now: float) -> Request:
    """Check an event and return it as a request.

    If the answer URL has no date, or a date more than a minute ahead, the event's time is `now`.
    Raises InvalidRequest, which names the value and the fix.
    """
    stack = Stack.of(_matching(event, "StackId", STACK_ID, _FOREIGN))
    kind = cast("Kind", _matching(event, "RequestType", "Create|Update|Delete", _FOREIGN))
    given = _mapping(event, "ResourceProperties")
    properties = None if kind == "Delete" else properties_of(given, stack)
    traces = asked = _traces(given, stack)
    if kind == "Update":
        before = _traces(_mapping(event, "OldResourceProperties"), stack)
        traces = replace(before, every=before.every or asked.every)
    time = event_time(event)
    if time is None or time > now + _SKEW:
        time = int(now)
    return Request(kind, stack, time, properties, traces, asked)


def refreshing(stack: Stack, time: int, parameters: Mapping[str, str]) -> Request:
    """Return the Refresh request for a stack's current parameters.

    The parameters have the names of the resource's properties. Raises InvalidRequest.
    """
    given = {**parameters, "Privileges": Privileges.LEAST_PRIVILEGE.value}
    traces = _traces(given, stack)
    return Request("Refresh", stack, time, properties_of(given, stack), traces, traces)


def scheduled(event: Mapping[str, object], now: float) -> tuple[Stack, int]:
    """Check a schedule's event; return its stack, and its time or `now`, whichever is earlier.

    Raises InvalidRequest.
    """
    stack = Stack.of(_matching(event, "StackId", STACK_ID, _FOREIGN))
    time = _moment(_text(event, "Time"), "%Y-%m-%dT%H:%M:%S%z")
    if time is None:
        raise _invalid("Time", _text(event, "Time"), _FOREIGN)
    return stack, min(time, int(now))


def event_time(event: Mapping[str, object]) -> int | None:
    """Return when CloudFormation signed the answer URL, in seconds since 1970, or None."""
    date = _text(event, "ResponseURL").partition("X-Amz-Date=")[2].partition("&")[0]
    return _moment(date, "%Y%m%dT%H%M%S%z")


def _moment(text: str, form: str) -> int | None:
    try:
        return int(datetime.strptime(text, form).timestamp())
    except ValueError:
        return None


def properties_of(given: Mapping[str, object], stack: Stack) -> Properties:
    """Check a resource's properties, and return them parsed. Raises InvalidRequest."""
    return Properties(
        _load_balancers(_list(given, "LoadBalancerArns"), stack),
        _matching(
            given,
            "DataTheoremAccountId",
            ACCOUNT_ID,
            "Give the 12 digits that Data Theorem sent you.",
        ),
        _endpoint(_text(given, "NotificationEndpoint"), stack),
        _bucket(given, stack),
        _retention(given),
        _choice(ReadScope, given, "VendorReadScope"),
        _tags(_list(given, "ResourceTags")),
        _choice(Privileges, given, "Privileges"),
        _text(given, "TemplateVersion"),
        _text(given, "HandlerSha256"),
    )


def _traces(given: Mapping[str, object], stack: Stack) -> Traces:
    named = _list(given, "LoadBalancerArns")
    bucket = _text(given, "LogBucketName")
    endpoint = _text(given, "NotificationEndpoint")
    least = _text(given, "Privileges") == Privileges.LEAST_PRIVILEGE.value
    return Traces(
        tuple(arn for arn in named if _is_load_balancer(arn, stack)),
        (bucket,) if re.fullmatch(BUCKET_NAME, bucket) else (),
        tuple(tag.partition("=")[0] for tag in _list(given, "ResourceTags")),
        EVERY_LOAD_BALANCER in named,
        Privileges.LEAST_PRIVILEGE if least else Privileges.DOCUMENTED,
        (digest(endpoint, 8),) if endpoint else (),
        _list(given, "ExistingLogBucketNames"),
    )


def _load_balancers(named: tuple[str, ...], stack: Stack) -> tuple[str, ...]:
    for arn in named or ("",):
        if named != (EVERY_LOAD_BALANCER,) and not _is_load_balancer(arn, stack):
            raise _invalid(
                "LoadBalancerArns",
                arn,
                "Give the whole ARNs, without quotes, of application load balancers"
                " (arn:…:loadbalancer/app/NAME/ID) in this account and region"
                f" ({stack.account}, {stack.region}), or {EVERY_LOAD_BALANCER} alone for all.",
            )
    return named


def _is_load_balancer(arn: str, stack: Stack) -> bool:
    return bool(re.fullmatch(LOAD_BALANCER_ARN, arn)) and stack.has(arn)


def _endpoint(text: str, stack: Stack) -> Endpoint:
    if re.fullmatch(QUEUE_ARN, text) and text.split(":")[1] == stack.partition:
        return Endpoint("sqs", text)
    if len(text) <= 2048 and re.fullmatch(HTTPS_URL, text):
        return Endpoint("https", text)
    raise _invalid(
        "NotificationEndpoint",
        "…",  # the endpoint may contain a token
        "Give the https URL, or the ARN of a standard SQS queue of partition"
        f" {stack.partition}, that Data Theorem sent you.",
    )


def _bucket(given: Mapping[str, object], stack: Stack) -> str:
    """Return the valid LogBucketName; if account-regional, it names this account and region."""
    regional = f"-{stack.account}-{stack.region}-an"
    return _matching(
        given,
        "LogBucketName",
        rf"(?!.*-{ACCOUNT_ID}-[a-z0-9-]+-an$(?<!{regional})){BUCKET_NAME}|",
        "Give 3 to 63 lower-case letters, digits, hyphens and dots, or leave it empty.",
    )


def _retention(given: Mapping[str, object]) -> int:
    name, fix = "LogRetentionDays", "Give a number from 1 to 36500."
    days = int(_matching(given, name, "[0-9]{1,5}", fix))
    if not 1 <= days <= 36500:
        raise _invalid(name, str(days), fix)
    return days


def _tags(items: Iterable[str]) -> tuple[tuple[str, str], ...]:
    tags: dict[str, str] = {}
    for item in items:
        key, _, value = item.partition("=")
        if key in tags or len(tags) == 40 or not re.fullmatch(_TAG, item):
            raise _invalid(
                "ResourceTags",
                item,
                "Give at most 40 tags key=value with characters that AWS allows, each key once, and"
                f" no key that begins with aws: or {NAME}:.",
            )
        tags[key] = value
    return tuple(sorted(tags.items()))


def _choice(choices: type[C], given: Mapping[str, object], name: str) -> C:
    values = [str(each.value) for each in choices]
    fix = f"Give {' or '.join(values)}."
    return choices(_matching(given, name, "|".join(values), fix))


def _matching(given: Mapping[str, object], name: str, pattern: str, fix: str) -> str:
    """Return a property's value; raise InvalidRequest unless it matches the whole pattern."""
    text = _text(given, name)
    if not re.fullmatch(pattern, text):
        raise _invalid(name, text, fix)
    return text


def _invalid(name: str, text: str, fix: str) -> InvalidRequest:
    shown = text if len(text) <= 120 else text[:119] + "…"
    return InvalidRequest(f"{name} {shown!r} is not valid.", fix)


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) else ""


def _list(given: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Return the items of a list or comma-delimited string, without empty or repeated items."""
    value = given.get(name)
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        return ()
    return _distinct(item.strip() for item in items if isinstance(item, str))


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, texts)))


def _mapping(given: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = given.get(name)
    return value if isinstance(value, dict) else {}
