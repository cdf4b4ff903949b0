"""Build and deliver the answer to CloudFormation, within its size limit and without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from .names import NAME, load_balancer_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .errors import HandlerError
    from .request import Properties
    from .run import Outcome

NOTE = "Note: "  # begins each warning that does not concern the flow of logs
LIMIT = 4096  # bytes of the whole body; CloudFormation refuses a longer body
Send = Callable[[str, bytes], int]  # sends a body to a URL by PUT and returns the HTTP status
Hide = Callable[[str], str]  # removes secrets from a string


def success(
    event: Mapping[str, object],
    physical_id: str,
    outcome: Outcome,
    properties: Properties | None,
    hide: Hide = str,
) -> bytes:
    """Return the answer for a request that was carried out, with the outputs' values.

    CloudFormation does not show the reason of a successful answer, so the outputs say what was left
    out or failed. A Delete does not have outputs: its reason says what stays, and so does the
    function's log.
    """
    if properties is None:
        return _body(event, physical_id, "SUCCESS", hide(told(outcome)), {})
    texts = {
        "LogBuckets": sorted({each.location.bucket for each in outcome.placements}),
        "TopicArns": outcome.topics,
        "SubscriptionArns": outcome.subscriptions,
        "NotOnboarded": [f"{load_balancer_name(arn)}: {why}" for arn, why in outcome.refused],
        "Warnings": [*outcome.warnings, *(NOTE + e for e in (*outcome.kept, *outcome.unread))],
        "TemplateVersion": [properties.template_version],
        "HandlerSha256": [properties.handler_sha256],
    }
    data = dict.fromkeys(texts, "")
    room = LIMIT - len(_body(event, physical_id, "SUCCESS", "", data))
    lists = [(name, [hide(each).rstrip(".") for each in items]) for name, items in texts.items()]
    lists.sort(key=lambda each: _size(",".join(each[1])))  # shortest first, to leave room
    for left, (name, items) in enumerate(lists):
        data[name] = cut(items, room // (len(lists) - left)) or "none"
        room -= _size(data[name])
    return _body(event, physical_id, "SUCCESS", "", data)


def failed(
    event: Mapping[str, object], physical_id: str, error: HandlerError, hide: Hide = str
) -> bytes:
    """Return the answer for a request that failed: what happened, and what to do."""
    return _body(event, physical_id, "FAILED", hide(f"{error.what} {error.fix}"), {})


def told(outcome: Outcome) -> str:
    """Describe the leftovers, the unread buckets, the load balancers left out, and the warnings."""
    parts = {
        "Left in place": outcome.kept,
        "Not looked into": outcome.unread,
        "Not onboarded": [f"{arn}: {why}" for arn, why in outcome.refused],
        "Warnings": outcome.warnings,
    }
    return " ".join(
        f"{title} ({len(items)}): {'; '.join(each.rstrip('.') for each in items)}."
        for title, items in parts.items()
        if items
    )


def cut(items: Sequence[str], limit: int) -> str:
    """Join items with commas, in at most `limit` bytes of JSON; say how many do not fit.

    If the first item alone is too long, it is shortened.
    """
    for rest in range(len(items)):
        shown = ",".join(items[: len(items) - rest])
        text = f"{shown},… and {rest} more" if rest else shown
        if _size(text) <= limit:
            return text
    return _shortened(items[0], limit, f" … and {rest} more" if rest else " …") if items else ""


def metric(name: str, value: int, stack: object, time: float) -> dict[str, object]:
    """Return the fields of one log line in CloudWatch's embedded metric format.

    `time` is in seconds since 1970. Without a stack, the result is empty.
    """
    counted = {
        "Namespace": NAME,
        "Dimensions": [["Stack"]],
        "Metrics": [{"Name": name, "Unit": "Count"}],
    }
    about = {"Timestamp": int(time * 1000), "CloudWatchMetrics": [counted]}
    return {"_aws": about, "Stack": stack, name: value} if stack else {}


def _size(text: str) -> int:
    return len(json.dumps(text)) - 2


def _shortened(text: str, room: int, end: str = " …") -> str:
    """Shorten a string so that, with `end` appended, it takes at most `room` bytes in JSON."""
    text = text[:room]
    while text and _size(text + end) > room:
        text = text[:-1]
    return text + end


def _body(
    event: Mapping[str, object],
    physical_id: str,
    status: str,
    reason: str,
    data: Mapping[str, str],
) -> bytes:
    """Serialise the answer; shorten the reason to fit, and empty any ID that is too long."""
    answer: dict[str, object] = {
        "Status": status,
        "Reason": "",
        "PhysicalResourceId": physical_id,
        "NoEcho": False,
        "Data": data,
    }
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        value = event.get(name, "")
        answer[name] = value if len(json.dumps(value)) <= 1024 else ""  # AWS's values are shorter
    room = LIMIT - len(json.dumps(answer))
    answer["Reason"] = reason if _size(reason) <= room else _shortened(reason, room)
    return json.dumps(answer).encode()


def may_answer(url: str) -> bool:
    """Return whether the answer may go to a URL: https, or http to this machine (for emulation)."""
    return bool(re.match(r"https://[^/[]|http://(localhost|127\.0\.0\.1|\[::1])(:\d+)?/", url))


def deliver(url: str, body: bytes, send: Send, sleep: Callable[[float], None]) -> bool:
    """PUT the answer to its URL, retry temporary failures, and return whether it arrived.

    Takes at most half a minute if `send` takes at most five seconds. The URL is a credential, so
    it must not be logged.
    """
    for pause in (0, 1, 2, 4):
        if pause:
            sleep(pause)
        status = send(url, body)
        if 200 <= status < 300:
            return True
        if 400 <= status < 500 and status not in (408, 429):
            break
    return False
