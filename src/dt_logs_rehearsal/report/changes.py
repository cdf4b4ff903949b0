"""Compare two snapshots of an account, in AWS's terms."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt_logs_cfn.canonical import readable
from dt_logs_rehearsal.account import Snapshot

_RESOURCES = {
    "account_blocks": "Block Public Access of account",
    "buckets": "S3 bucket",
    "functions": "Lambda function",
    "load_balancers": "load balancer",
    "log_groups": "log group",
    "roles": "IAM role",
    "rules": "EventBridge rule",
    "subscriptions": "SNS subscription",
    "topics": "SNS topic",
}
_ENTRIES = {"objects": "object", "policies": "inline policy", "tags": "tag"}
_ENTRIES |= {"versions": "versions of", "attributes": "", "notifications": "", "settings": ""}

_SID = re.compile("(DTLogsAnalysis1Read[0-9a-f]{28})[0-9a-f]{8}([0-9a-f]{8})[0-9a-f]{8}")
_BUCKET = "access_logs.s3.bucket"


@dataclass(frozen=True)
class Change:
    """A resource's property, or a policy's statement, before and after; None if absent."""

    name: str
    before: Any
    after: Any

    @property
    def sign(self) -> str:
        """`+` if it was added, `-` if it was removed, `~` if it was changed."""
        return "+" if self.before is None else "-" if self.after is None else "~"

    def lines(self) -> Iterator[str]:
        """Yield one line; if the JSON is long, yield before and after on separate lines."""
        old, new = readable(self.before), readable(self.after)
        if "\n" not in old + new:
            yield f"{self.sign} {self.name}: {' -> '.join(filter(None, (old, new)))}"
            return
        for sign, value in (("-", old), ("+", new)):
            if value:
                yield f"{sign} {self.name}:"
                yield from (f"    {line}" for line in value.splitlines())


Changes = Mapping[str, Sequence[Change]]


def diff(before: Snapshot, after: Snapshot) -> Changes:
    """Return changes by resource; each resource's name begins with a sign, as in `Change.sign`."""
    found: dict[str, Sequence[Change]] = {}
    for kind in before | after:
        old, new = before.get(kind, {}), after.get(kind, {})
        for name in old | new:
            sign = "+" if name not in old else "-" if name not in new else "~"
            if sign != "~" or old[name] != new[name]:
                was, now = _properties(old, name), _properties(new, name)
                names = sorted(each for each in was | now if was.get(each) != now.get(each))
                changes = [Change(each, was.get(each), now.get(each)) for each in names]
                reordered = [Change("order", "as before", "another")]
                found[f"{sign} {_RESOURCES[kind]} {name}"] = changes or reordered
    return found


def lines(changes: Changes) -> Iterator[str]:
    """Yield a line for each resource, followed by its changes."""
    for resource, found in changes.items():
        yield resource
        yield from (f"    {line}" for each in found for line in each.lines())


def _properties(resources: Snapshot, name: str) -> Snapshot:
    """Return a resource's settings by AWS's names, without empty ones; none if it is missing."""
    entries = (each for item in resources.get(name, {}).items() for each in _entries(*item))
    return {name: value for name, value in entries if value not in (None, "", [], {})}


def _entries(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if name in _ENTRIES:
        for key, each in value.items():
            yield from _entries(f"{_ENTRIES[name]} {key}".strip(), each)
    elif isinstance(value, dict) and "Statement" in value:
        for number, each in enumerate(value["Statement"], 1):
            rest = {key: value for key, value in each.items() if key != "Sid"}
            yield f"{name} statement {each.get('Sid') or number}", rest
        yield from ((f"{name} {key}", each) for key, each in value.items() if key != "Statement")
    else:
        yield name, value


def differences(before: Snapshot, after: Snapshot, *, documented: bool = False) -> list[str]:
    """Return the differences as strings, without those that AWS or the documented role cannot undo.

    AWS refuses to empty an ALB's bucket attribute, so a new bucket's name may stay in it while
    logging is off. The documented role may not delete the topic and subscription that it created:
    both stay, without a publisher, until a stack with the least-privilege role cleans up the
    bucket. A subscription that was never confirmed cannot be ended; AWS removes it after a few
    days. Our Sids record times and earlier requests, which a rollback does not restore. The order
    of our own statements does not matter.
    """
    before, after = copy.deepcopy(before), copy.deepcopy(after)
    for arn, attributes in after["load_balancers"].items():
        was = before["load_balancers"].get(arn, {})
        if attributes.get("access_logs.s3.enabled") == "false" and not was.get(_BUCKET):
            attributes[_BUCKET] = was.get(_BUCKET)
    if documented:
        for each in (before, after):
            for kind in ("topics", "subscriptions"):
                each[kind] = {
                    key: value
                    for key, value in each[kind].items()
                    if ":dt-logs-analysis-1-" not in key
                }
    for each in (before, after):
        each["subscriptions"] = {
            key: found for key, found in each["subscriptions"].items() if found["confirmed"]
        }
        for bucket in each["buckets"].values():
            policy = bucket["policy"]
            if policy:
                policy["Statement"] = _ordered(policy["Statement"])
    found = diff(before, after).items()
    return [f"{name}: " + "\n".join(each.lines()) for name, changes in found for each in changes]


def _ordered(statements: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return others' statements unchanged, then ours, sorted and without times or past requests."""

    def ours(statement: dict[str, object]) -> str:
        sid = str(statement.get("Sid", ""))
        return _SID.sub(r"\1\2", sid) if sid.startswith("DTLogsAnalysis") else ""

    found = ({**each, "Sid": ours(each)} if ours(each) else each for each in statements)
    return sorted(found, key=ours)
