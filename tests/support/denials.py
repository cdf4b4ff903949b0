"""Record a command's calls, and then find out how it behaves if AWS refuses one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import boto3
from botocore.exceptions import ConnectionClosedError

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.iam.rights import needed
from dt_logs_rehearsal.account.world import Call

# A service's code for a denied call, if AWS documents a code other than AccessDenied.
_CODES = {
    "elbv2": "UnauthorizedOperation",
    "logs": "AccessDeniedException",
    "sns": "AuthorizationError",
}
_CHANGES = ("DeleteStack", "ExecuteChangeSet")
THROTTLED, LOST = "Throttling", "no answer"


class Operation(NamedTuple):
    """An operation of a service, and the permissions that it needs."""

    service: str
    name: str
    rights: tuple[str, ...] = ()

    def named_in(self, text: str) -> bool:
        """Return whether a message names the operation, or a permission that it needs."""
        return any(each in text for each in (self.name, *self.rights))


@dataclass(frozen=True)
class Denial:
    """An operation that fails with a code; if there is an `after`, only after that operation.

    The code LOST means that the connection is closed without an answer.
    """

    operation: Operation
    code: str
    after: Operation | None = None

    def __str__(self) -> str:
        late = f" after {self.after.name}" if self.after else ""
        return f"{self.operation.service}:{self.operation.name}{late} ({self.code})"


@dataclass
class Gate:
    """Intercepts calls to the account: records an administrator's calls, and refuses some of them.

    It ignores the calls of the stack's role and of the vendor.
    """

    account: str
    heard: list[Operation] = field(default_factory=list)
    refused: int = 0
    _denial: Denial | None = None

    def __call__(self, call: Call) -> None:
        if not call.caller.arn.endswith(f":{self.account}:root"):
            return
        rights = tuple(sorted({each.action for each in needed(call, "aws")}))
        found = Operation(call.service, call.operation, rights)
        self.heard.append(found)
        if self._denial is None or found != self._denial.operation or self._denial.code == LOST:
            return
        if self._denial.after is None or self._denial.after in self.heard:
            self.refused += 1
            raise _error(self._denial)

    def lose(self, request: Any, event_name: str, **more: object) -> None:
        """Handle botocore's event before-send: close a lost call's connection without an answer."""
        lost = self._denial if self._denial and self._denial.code == LOST else None
        if lost and event_name.endswith(f".{lost.operation.name}"):
            self.refused += 1
            raise ConnectionClosedError(endpoint_url=request.url)

    def refuse(self, denial: Denial | None) -> None:
        """Forget the recorded calls; from now on, refuse this denial's operation, if any."""
        self.heard.clear()
        self.refused, self._denial = 0, denial


def denials(heard: list[Operation], *, both: bool = False) -> Iterator[Denial]:
    """Yield a denial of each recorded operation, and of each operation after the first change.

    A denial has the service's own code, or `both` yields one with each code that AWS has. The first
    denials leave out STS: GetCallerIdentity needs no permission [STS API, GetCallerIdentity].
    """
    for each in dict.fromkeys(heard):
        if each.service != "sts":
            yield from (Denial(each, code) for code in codes(each)[0 if both else 1 :])
    changed = next((each for each in heard if each.name in _CHANGES), None)
    if changed:
        late = dict.fromkeys(heard[heard.index(changed) + 1 :])
        yield from (Denial(each, codes(each)[-1], changed) for each in late)


def codes(operation: Operation) -> tuple[str, str]:
    """Return the codes with which a service may deny a call, its own code last."""
    return "AccessDenied", _CODES.get(operation.service, "AccessDeniedException")


@dataclass
class Kept:
    """A session that reuses its clients, because making one takes longer than a whole command."""

    gate: Gate
    region_name: str
    credentials: dict[str, str]
    endpoint: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: Any, config: Any = None) -> Any:
        """Return the client of a service."""
        if service not in self._clients:
            made: Any = boto3.Session(region_name=self.region_name).client(
                service, config=config, endpoint_url=self.endpoint, **self.credentials
            )
            made.meta.events.register("before-send", self.gate.lose)
            self._clients[service] = made
        return self._clients[service]


def _error(denial: Denial) -> Exception:
    operation = denial.operation
    if denial.code == THROTTLED:
        return Refused(denial.code, "Rate exceeded", 400)
    if denial.code == "AccessDenied":
        return Refused(denial.code, "Access Denied", 403)  # the shortest message of any service
    right = next(iter(operation.rights), operation.name)
    who = "User: arn:aws:iam::123456789012:user/op"
    return Refused(denial.code, f"{who} is not authorized to perform: {right}", 403)
