"""The ways in which a call can fail.

A failure hits one call; in the modes `denied`, `throttled` and `unanswered`, it also hits every
later call of the same operation in that event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from dt_logs_rehearsal.account import Hook

MODES = ("denied", "throttled", "lost", "unanswered", "killed before", "killed after")
NEVER = -1


def error(code: str, operation: str = "PutBucketPolicy", text: str = "x") -> ClientError:
    """Return the error that a client raises."""
    return ClientError({"Error": {"Code": code, "Message": text}}, operation)


def on(operation: str, act: Callable[[Mapping[str, Any]], object]) -> Hook:
    """Return a hook that passes the parameters of each call of an operation to `act`."""

    def hook(service: str, called: str, params: Mapping[str, Any]) -> None:
        if called == operation:
            act(params)

    return hook


def once(operation: str, act: Callable[[Mapping[str, Any]], object]) -> Hook:
    """Return a hook that passes the parameters of an operation's first call to `act`."""
    done: list[str] = []
    return on(operation, lambda params: done or (done.append(operation), act(params)))


class Killed(BaseException):
    """The process was killed during a call."""


@dataclass
class Faults:
    """Records the calls, and makes call number `at` fail as `mode` says.

    Before each call, `meanwhile` is called with the call's number.
    """

    at: int = NEVER
    mode: str = ""
    meanwhile: Callable[[int], object] = lambda number: None
    calls: list[str] = field(default_factory=list)
    _failing: str = ""

    def before(self, service: str, operation: str, params: object) -> None:
        number = len(self.calls)
        self.meanwhile(number)
        self.calls.append(f"{service}:{operation}")
        if not self._hits(number, operation):
            return
        match self.mode:
            case "denied" | "throttled":
                self._failing = operation
                code = {"denied": "AccessDenied", "throttled": "ThrottlingException"}[self.mode]
                text = f"no identity-based policy allows the {operation} action"
                raise error(code, operation, text)
            case "killed before":
                raise Killed
            case "unanswered":
                self._failing = operation

    def after(self, service: str, operation: str, params: object) -> None:
        if self._hits(len(self.calls) - 1, operation):
            if self.mode in ("lost", "unanswered"):
                raise ReadTimeoutError(endpoint_url="https://aws.example.com")
            if self.mode == "killed after":
                raise Killed

    def _hits(self, number: int, operation: str) -> bool:
        return number == self.at or (self._failing == operation and number > self.at)
