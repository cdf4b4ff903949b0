"""Compare two snapshots of an account, ignoring the differences stated here."""

from __future__ import annotations

import copy
import re

from dt_logs_rehearsal.account import Snapshot
from dt_logs_rehearsal.report.changes import diff

_SID = re.compile("(DTLogsAnalysis1Read[0-9a-f]{28})[0-9a-f]{8}([0-9a-f]{8})[0-9a-f]{8}")
_BUCKET = "access_logs.s3.bucket"


def differences(before: Snapshot, after: Snapshot, *, documented: bool = False) -> list[str]:
    """Return the differences as strings, without those that AWS or the documented role cannot undo.

    AWS refuses to empty an ALB's bucket attribute, so a new bucket's name may stay in it while
    logging is off. The documented role may not delete the topic and subscription that it created:
    both stay, without a publisher, until a stack under the other role cleans up the bucket. A
    subscription that was never confirmed cannot be ended; AWS removes it after some days. Our Sids
    record times and earlier requests, which a rollback does not restore. The order of our own
    statements has no meaning.
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
    """Return others' statements in their order, then ours, sorted and without times."""

    def ours(statement: dict[str, object]) -> str:
        sid = str(statement.get("Sid", ""))
        return _SID.sub(r"\1\2", sid) if sid.startswith("DTLogsAnalysis") else ""

    found = ({**each, "Sid": ours(each)} if ours(each) else each for each in statements)
    return sorted(found, key=ours)
