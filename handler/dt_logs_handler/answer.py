"""The answer to CloudFormation: always one, in time, within its size, and nothing secret in it."""

import json
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from .errors import HandlerError
from .request import Properties
from .run import Outcome

LIMIT = 4096  # bytes of the whole body; CloudFormation takes no longer one
_TRIES = 4
Send = Callable[[str, bytes], int]  # puts a body to a URL and returns the HTTP status
Hide = Callable[[str], str]  # takes out of a text what is secret in it
_LONGEST_ID = 1024
_COPIED = ("StackId", "RequestId", "LogicalResourceId")
_LOCAL = ("localhost", "127.0.0.1", "::1")


def success(
    event: Mapping[str, object],
    physical_id: str,
    outcome: Outcome,
    properties: Properties | None,
    hide: Hide = str,
) -> bytes:
    """Return the answer that a request was carried out, with the values for the outputs."""
    data = {}
    if properties:
        buckets = sorted({each.location.bucket for each in outcome.placements})
        data = {
            "LogBuckets": cut(buckets, 600),
            "TopicArns": cut(outcome.topics, 600),
            "SubscriptionArns": cut(outcome.subscriptions, 600),
            "TemplateVersion": properties.template_version[:64],
            "HandlerSha256": properties.handler_sha256[:64],
        }
    return _body(event, physical_id, "SUCCESS", hide(told(outcome)), data)


def failed(
    event: Mapping[str, object], physical_id: str, error: HandlerError, hide: Hide = str
) -> bytes:
    """Return the answer that a request failed: what happened, and what to do."""
    return _body(event, physical_id, "FAILED", hide(f"{error.what} {error.fix}"), {})


def told(outcome: Outcome) -> str:
    """Put into words what was left out and what stays behind."""
    parts = [
        ("Left in place", outcome.kept),
        ("Not looked into", outcome.unread),
        ("Not onboarded", [f"{arn}: {why}" for arn, why in outcome.refused]),
    ]
    return " ".join(
        f"{title} ({len(items)}): {'; '.join(items)}." for title, items in parts if items
    )


def cut(items: Sequence[str], limit: int) -> str:
    """Join items by commas within `limit` characters, counting those that did not fit."""
    for shown in range(len(items), -1, -1):
        rest = len(items) - shown
        text = ",".join(items[:shown]) + (f",… and {rest} more" if rest else "")
        if len(text) <= limit:
            return text.lstrip(",")
    return ""


def _body(
    event: Mapping[str, object],
    physical_id: str,
    status: str,
    reason: str,
    data: Mapping[str, str],
) -> bytes:
    """Serialise, cutting the reason until the whole fits."""
    answer: dict[str, object] = {
        "Status": status,
        "PhysicalResourceId": physical_id,
        **{name: _copied(event.get(name, "")) for name in _COPIED},
        "NoEcho": False,
        "Data": data,
    }
    room = LIMIT - len(json.dumps({**answer, "Reason": ""}).encode())
    encoded = json.dumps(reason)[1:-1]
    if len(encoded) > room:
        while len(json.dumps(reason + " …")) - 2 > room and reason:
            reason = reason[: -max(1, (len(json.dumps(reason)) - room) // 6)]
        reason += " …"
    return json.dumps({**answer, "Reason": reason}).encode()


def _copied(value: object) -> object:
    """Return a value as it came; one that cannot be CloudFormation's, cut to what it takes."""
    if isinstance(value, str):
        return value[:_LONGEST_ID]
    return value if len(json.dumps(value)) <= _LONGEST_ID else ""


def may_answer(url: str) -> bool:
    """Tell whether a URL can be CloudFormation's: https, or on this machine for an emulation."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL))


def deliver(url: str, body: bytes, send: Send, sleep: Callable[[float], None]) -> bool:
    """Put the answer to its URL, again after a failure that may pass; tell whether it arrived.

    Takes at most half a minute, as long as `send` takes at most five seconds. The URL is a
    credential: it goes into no message.
    """
    for attempt in range(_TRIES):
        if attempt:
            sleep(2.0 ** (attempt - 1))
        status = send(url, body)
        if 200 <= status < 300:
            return True
        if 400 <= status < 500 and status not in (408, 429):
            return False
    return False
