"""Events to requests: everything that CloudFormation sends is checked here, once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from enum import Enum
from typing import Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

from .errors import InvalidRequest
from .marks import BUCKET_TAG, Stack, digest

Kind = Literal["Create", "Update", "Delete"]
C = TypeVar("C", bound=Enum)
SERVICE_TIMEOUT = 1200  # seconds; the template's ServiceTimeout
EVERY_LOAD_BALANCER = "*"

_STACK = re.compile(
    r"arn:(aws[a-z-]*):cloudformation:([a-z0-9-]+):([0-9]{12}):stack/[A-Za-z0-9-]+/[^/\s]+"
)
_ALB = re.compile(
    r"arn:(aws[a-z-]*):elasticloadbalancing:([a-z0-9-]+):([0-9]{12}):"
    r"loadbalancer/app/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}"
)
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_BUCKET_RESERVED = re.compile(
    r"(?:[0-9]+\.){3}[0-9]+|(?:xn--|sthree-|amzn-s3-demo-).*|.*(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)"
)
_QUEUE = re.compile(r"arn:(aws[a-z-]*):sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}")
HTTPS_URL = r"https://[A-Za-z0-9.-]+\.[A-Za-z0-9-]+(?::[0-9]{1,5})?(?:[/?][!-~]*)?"


class Privileges(Enum):
    """Under which execution role the handler runs: it plans only what that one may do."""

    DOCUMENTED = "documented"
    LEAST_PRIVILEGE = "least-privilege"


class ReadScope(Enum):
    """How the vendor's read statement names objects outside the stack's own location."""

    LOAD_BALANCER = "LoadBalancer"
    LOCATION = "Location"


@dataclass(frozen=True)
class Endpoint:
    """Where announcements go; the address may hold a token, so only `shown` is ever printed."""

    protocol: Literal["https", "sqs"]
    address: str

    @property
    def digest(self) -> str:
        return digest(self.address, 8)

    @property
    def shown(self) -> str:
        """The address without anything that may be secret."""
        if self.protocol == "sqs":
            return self.address
        return f"https://{urlsplit(self.address).hostname}/…"


@dataclass(frozen=True)
class Properties:
    """What the customer asked for."""

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


@dataclass(frozen=True)
class Traces:
    """Where to look for what an earlier request left; read leniently, from any properties."""

    load_balancers: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    every: bool = False
    privileges: Privileges = Privileges.DOCUMENTED


@dataclass(frozen=True)
class Request:
    """One event, checked. `properties` is None for Delete, which needs only traces."""

    kind: Kind
    stack: Stack
    time: int  # seconds since 1970, from the answer URL's date
    properties: Properties | None
    traces: Traces
    narrowed: tuple[str, ...] = ()  # ExistingLogBucketNames: the only buckets the role may touch

    @property
    def bucket(self) -> str:
        """The LogBucketName as it is now, which the role covers."""
        if self.properties:
            return self.properties.bucket
        return next(iter(self.traces.buckets), "")

    @property
    def privileges(self) -> Privileges:
        return self.properties.privileges if self.properties else self.traces.privileges


def parse(event: Mapping[str, object], now: float) -> Request:
    """Check an event and return it as a request.

    `now` stands in for the event's time where its answer URL carries no date. Raises
    InvalidRequest, which names the value and the fix.
    """
    stack = _stack(_text(event, "StackId"))
    kind = _kind(_text(event, "RequestType"))
    given = _mapping(event.get("ResourceProperties"))
    old = _mapping(event.get("OldResourceProperties"))
    properties = None if kind == "Delete" else properties_of(given, stack)
    traces = _traces(given, stack)
    if kind == "Update":
        before = _traces(old, stack)
        traces = replace(before, every=before.every or traces.every, privileges=traces.privileges)
    narrowed = tuple(name for name in _list(given, "ExistingLogBucketNames") if name)
    time = event_time(event)
    return Request(kind, stack, int(now) if time is None else time, properties, traces, narrowed)


def event_time(event: Mapping[str, object]) -> int | None:
    """Return when CloudFormation signed the answer URL, in seconds since 1970, if it says so."""
    query = parse_qs(urlsplit(_text(event, "ResponseURL")).query)
    dates = query.get("X-Amz-Date", [])
    try:
        moment = datetime.strptime(dates[0], "%Y%m%dT%H%M%SZ")
    except (IndexError, ValueError):
        return None
    return int(moment.replace(tzinfo=timezone.utc).timestamp())


def properties_of(given: Mapping[str, object], stack: Stack) -> Properties:
    """Check a resource's properties; every value arrives as text. Raises InvalidRequest."""
    return Properties(
        load_balancers=_load_balancers(_list(given, "LoadBalancerArns"), stack),
        vendor=_vendor(_text(given, "DataTheoremAccountId")),
        endpoint=_endpoint(_text(given, "NotificationEndpoint"), stack),
        bucket=_bucket(_text(given, "LogBucketName"), stack),
        retention_days=_retention(_text(given, "LogRetentionDays")),
        read_scope=_choice(ReadScope, "VendorReadScope", given),
        tags=_tags(_list(given, "ResourceTags")),
        privileges=_choice(Privileges, "Privileges", given),
        template_version=_text(given, "TemplateVersion"),
        handler_sha256=_text(given, "HandlerSha256"),
    )


def _traces(given: Mapping[str, object], stack: Stack) -> Traces:
    named = tuple(arn.strip() for arn in _list(given, "LoadBalancerArns"))
    privileges = _text(given, "Privileges")
    bucket = _text(given, "LogBucketName")
    return Traces(
        tuple(arn for arn in named if _is_local(_ALB.fullmatch(arn), stack)),
        (bucket,) if _BUCKET.fullmatch(bucket) else (),
        tuple(tag.strip().partition("=")[0] for tag in _list(given, "ResourceTags") if tag),
        EVERY_LOAD_BALANCER in named,
        Privileges(privileges)
        if privileges in {each.value for each in Privileges}
        else Privileges.DOCUMENTED,
    )


def _stack(identifier: str) -> Stack:
    found = _STACK.fullmatch(identifier)
    if not found:
        raise InvalidRequest(
            f"The event's StackId {_shown(identifier)} is not one of CloudFormation's.",
            "Let CloudFormation invoke the function.",
        )
    return Stack(identifier, found[1], found[2], found[3])


def _kind(text: str) -> Kind:
    match text:
        case "Create" | "Update" | "Delete":
            return text
    raise InvalidRequest(
        f"The event's RequestType {_shown(text)} is unknown.",
        "Let CloudFormation invoke the function.",
    )


def _load_balancers(arns: Sequence[str], stack: Stack) -> tuple[str, ...]:
    named = tuple(dict.fromkeys(arn.strip() for arn in arns if arn.strip()))
    if not named:
        raise InvalidRequest(
            "LoadBalancerArns names no load balancer.",
            f"Give the ARNs of application load balancers, or {EVERY_LOAD_BALANCER} for all.",
        )
    if EVERY_LOAD_BALANCER in named and len(named) > 1:
        raise InvalidRequest(
            f"LoadBalancerArns mixes {EVERY_LOAD_BALANCER} with ARNs.",
            f"Give {EVERY_LOAD_BALANCER} alone, or ARNs alone.",
        )
    for arn in named:
        if arn != EVERY_LOAD_BALANCER:
            _check_load_balancer(arn, stack)
    return named


def _check_load_balancer(arn: str, stack: Stack) -> None:
    found = _ALB.fullmatch(arn)
    if not found:
        kind = (
            "a load balancer of another kind" if ":loadbalancer/" in arn else "no load balancer ARN"
        )
        raise InvalidRequest(
            f"LoadBalancerArns: {_shown(arn)} is {kind}.",
            "Give the ARN of an application load balancer, arn:…:loadbalancer/app/NAME/ID.",
        )
    if not _is_local(found, stack):
        raise InvalidRequest(
            f"LoadBalancerArns: {_shown(arn)} is not in this stack's account {stack.account},"
            f" region {stack.region} and partition {stack.partition}.",
            "Launch a stack in the load balancer's own account and region.",
        )


def _is_local(found: re.Match[str] | None, stack: Stack) -> bool:
    here = (stack.partition, stack.region, stack.account)
    return found is not None and (found[1], found[2], found[3]) == here


def _vendor(text: str) -> str:
    if not re.fullmatch("[0-9]{12}", text):
        raise InvalidRequest(
            f"DataTheoremAccountId {_shown(text)} is no AWS account id.",
            "Give the 12 digits that Data Theorem sent you.",
        )
    return text


def _endpoint(text: str, stack: Stack) -> Endpoint:
    queue = _QUEUE.fullmatch(text)
    if queue and queue[1] == stack.partition:
        return Endpoint("sqs", text)
    if len(text) <= 2048 and re.fullmatch(HTTPS_URL, text):
        return Endpoint("https", text)
    raise InvalidRequest(
        "NotificationEndpoint is neither an https URL nor the ARN of a standard SQS queue of"
        f" partition {stack.partition}.",
        "Give the endpoint that Data Theorem sent you.",
    )


def _bucket(text: str, stack: Stack) -> str:
    regional = f"-{stack.account}-{stack.region}-an"
    if not text:
        return ""
    if (
        not _BUCKET.fullmatch(text)
        or _BUCKET_RESERVED.fullmatch(text)
        or (re.search(r"-[0-9]{12}-[a-z0-9-]+-an$", text) and not text.endswith(regional))
    ):
        raise InvalidRequest(
            f"LogBucketName {_shown(text)} is no name that S3 accepts here.",
            "Give 3 to 63 lower-case letters, digits, hyphens and dots, or leave it empty.",
        )
    return text


def _retention(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 36500:
        raise InvalidRequest(
            f"LogRetentionDays {_shown(text)} is no number of days.",
            "Give a number from 1 to 36500.",
        )
    return int(text)


def _tags(items: Sequence[str]) -> tuple[tuple[str, str], ...]:
    tags: dict[str, str] = {}
    for item in filter(None, (each.strip() for each in items)):
        key, equals, value = item.partition("=")
        valid = equals and re.fullmatch(r"[\w +\-:/@.]{1,128}", key)
        if not valid or not re.fullmatch(r"[\w +\-=:/@.]{0,256}", value) or key in tags:
            raise InvalidRequest(
                f"ResourceTags: {_shown(item)} is no tag, or its key is there twice.",
                "Give a list of key=value with the characters that AWS allows in tags.",
            )
        if key.lower().startswith("aws:") or key == BUCKET_TAG:
            raise InvalidRequest(f"ResourceTags: the key {key} is reserved.", "Choose another key.")
        tags[key] = value
    if len(tags) > 40:
        raise InvalidRequest("ResourceTags has more than 40 tags.", "Give fewer.")
    return tuple(sorted(tags.items()))


def _choice(choices: type[C], name: str, given: Mapping[str, object]) -> C:
    text = _text(given, name)
    for choice in choices:
        if choice.value == text:
            return choice
    allowed = " or ".join(str(choice.value) for choice in choices)
    raise InvalidRequest(f"{name} {_shown(text)} is unknown.", f"Give {allowed}.")


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name, "")
    return value if isinstance(value, str) else ""


def _list(given: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = given.get(name)
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return ()
    return tuple(item for item in value if isinstance(item, str))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _shown(text: str) -> str:
    return repr(text if len(text) <= 120 else text[:119] + "…")
