"""Cases of policy evaluation as data. Each file is a list; each case names its source page."""

import json
from pathlib import Path
from typing import Any

from dt_logs_rehearsal.account import Decision, Principal, Request, evaluate
from dt_logs_rehearsal.account.iam.conditions import Context

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/session"
FOLDER = Path(__file__).parent / "cases"


def cases() -> list[dict[str, Any]]:
    """Return every case, with its file's name (without `.json`) as `file`."""
    return [
        {"file": path.stem, **case}
        for path in sorted(FOLDER.glob("*.json"))
        for case in json.loads(path.read_text("utf-8"))
    ]


def policy(statements: list[dict[str, Any]]) -> str:
    """Return a policy with these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def context(case: dict[str, Any]) -> Context:
    """Return a case's context; a key with several values has a tuple."""
    raw = case.get("context", {})
    return {key: value if isinstance(value, str) else tuple(value) for key, value in raw.items()}


def allowed(case: dict[str, Any]) -> bool:
    """Return whether the case's request is allowed.

    Within an account, one policy must allow it; across accounts, both must. A Deny always wins.
    """
    name = case.get("principal", SESSION)
    service = name if not name.startswith("arn:") else ""
    account = "" if service else name.split(":")[4]
    request = Request(
        Principal(account, "" if service else name, service),
        case.get("action", "s3:GetObject"),
        case.get("target", "arn:aws:s3:::logs/a/b"),
        context(case),
    )
    identity, resource = (
        evaluate((policy(case.get(side, [])),), request) for side in ("identity", "resource_policy")
    )
    if service:  # a service has no identity policy
        return resource is Decision.ALLOW
    if Decision.DENY in (identity, resource):
        return False
    enough = any if case.get("owner", ACCOUNT) == account else all
    return enough(side is Decision.ALLOW for side in (identity, resource))
