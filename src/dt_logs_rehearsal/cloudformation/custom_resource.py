"""The custom resource protocol: send an event to the function; receive the answer at a signed URL.

[CloudFormation guide, crpg-ref-requests.md, crpg-ref-responses.md]
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, InvalidStateError, TimeoutError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dt_logs_rehearsal.account.world import moment
from dt_logs_rehearsal.cloudformation.stack import Made, Stack
from dt_logs_rehearsal.http.endpoint import ANSWERS
from dt_logs_rehearsal.pace import Pace

LIMIT = 4096  # the largest answer, in bytes
_DEFAULT_TIMEOUT = 3600  # seconds


class Mailbox:
    """Stores answers until `close` is called; keeps only the first answer to each URL."""

    def __init__(self) -> None:
        self.closed = False
        self._answers: dict[str, Future[bytes]] = {}

    def put(self, token: str, body: bytes) -> None:
        """Store an answer."""
        with suppress(InvalidStateError):
            self._answer(token).set_result(body)

    def answers(self) -> list[str]:
        """Return all answers so far as text; a rehearsal checks them, but does not show them."""
        found = [each for each in self._answers.values() if each.done() and not each.cancelled()]
        return [each.result().decode(errors="replace") for each in found]

    def wait(self, token: str, seconds: float) -> bytes | None:
        """Wait for the answer and return it, or None if time is up or `close` is called."""
        try:
            return self._answer(token).result(seconds)
        except (TimeoutError, CancelledError):
            return None

    def close(self) -> None:
        """Release all waiting threads."""
        self.closed = True
        for each in list(self._answers.values()):
            each.cancel()

    def _answer(self, token: str) -> Future[bytes]:
        found = self._answers.setdefault(token, Future())
        if self.closed:
            found.cancel()
        return found


@dataclass(frozen=True)
class Failed(Exception):
    """The resource's answer was FAILED, invalid or late, or the emulated account was closed."""

    reason: str
    physical_id: str


@dataclass(frozen=True)
class CustomResources:
    """Sends events for stacks' custom resources."""

    url: str  # of the emulated endpoint
    mailbox: Mailbox
    pace: Pace
    # Starts a stack's function, given by its ARN, with an event; returns a callable that waits for
    # the function to end.
    invoke: Callable[[Stack, str, Mapping[str, Any]], Callable[[], None]]

    def send(
        self,
        kind: str,
        stack: Stack,
        logical: str,
        resource_type: str,
        given: Mapping[str, Any],
        made: Made | None = None,
    ) -> tuple[str, Mapping[str, Any]]:
        """Send an event, wait for the answer, and return its physical ID and data.

        Raises Failed, or Refused if the stack's role may not invoke the function.
        """
        token, now = str(uuid.uuid4()), moment(self.pace())
        properties = _as_texts(given)
        event = {
            "RequestType": kind,
            "ServiceToken": given["ServiceToken"],
            "ResponseURL": f"{self.url}{ANSWERS}{token}?X-Amz-Date={now:%Y%m%dT%H%M%SZ}"
            f"&X-Amz-Signature={uuid.uuid4().hex}",
            "StackId": stack.id,
            "RequestId": str(uuid.uuid4()),
            "LogicalResourceId": logical,
            "ResourceType": resource_type,
            "ResourceProperties": properties,
        }
        if made is not None:
            event["PhysicalResourceId"] = made.physical_id
        if kind == "Update" and made is not None:
            event["OldResourceProperties"] = _as_texts(made.properties)
        physical_id = made.physical_id if made else f"{logical}-{token[:8]}"
        if self.mailbox.closed:
            raise Failed("The emulated account was closed.", physical_id)
        settle = self.invoke(stack, given["ServiceToken"], event)
        seconds = float(given.get("ServiceTimeout", _DEFAULT_TIMEOUT))
        body = self.mailbox.wait(token, seconds / self.pace.rate)
        settle()
        return _taken(event, body, physical_id)


def _taken(
    event: Mapping[str, Any], body: bytes | None, physical_id: str
) -> tuple[str, Mapping[str, Any]]:
    """Return the physical ID and the data of an answer. Raises Failed."""
    if body is None:
        raise Failed(
            "CloudFormation did not receive a response from your Custom Resource. Please check your"
            f" logs for requestId [{event['RequestId']}].",
            physical_id,
        )
    if len(body) > LIMIT:
        raise Failed("Response object is too long.", physical_id)
    try:
        answer = json.loads(body)
        same = all(answer[k] == event[k] for k in ("StackId", "RequestId", "LogicalResourceId"))
        identifier, status = answer["PhysicalResourceId"], answer["Status"]
    except (ValueError, KeyError, TypeError) as error:
        raise Failed("Invalid response object", physical_id) from error
    if not same or not isinstance(identifier, str) or not 0 < len(identifier) <= 1024:
        raise Failed("Invalid response object", physical_id)
    if status != "SUCCESS":
        raise Failed(
            "Received response status [FAILED] from custom resource. Message returned: "
            f"{answer.get('Reason')} (RequestId: {event['RequestId']})",
            identifier,
        )
    return identifier, answer.get("Data", {})


def _as_texts(value: Any) -> Any:
    """Return a custom resource's properties as CloudFormation sends them: all values as strings."""
    match value:
        case dict():
            return {key: _as_texts(each) for key, each in value.items()}
        case list():
            return [_as_texts(each) for each in value]
        case bool():
            return str(value).lower()
        case _:
            return str(value)
