"""Compare policies by meaning, and decide whether S3 considers one public."""

import json
import re
from functools import lru_cache
from typing import Any

from dt_logs_rehearsal.account.iam.policy import Statement, listed, principals, statements, texts

# A grant to everyone is not public if a condition holds one of these keys to fixed values
# [S3 guide, access-control-block-public-access.md, "The meaning of public"].
_FIXING = frozenset(
    (
        "aws:principalorgid",
        "aws:sourcearn",
        "aws:sourceaccount",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    )
)
_POSITIVE = frozenset(("StringEquals", "StringLike", "ArnEquals", "ArnLike", "IpAddress"))


@lru_cache(maxsize=8192)
def is_public(document: str) -> bool:
    """Return whether S3 considers a bucket policy public: one public statement is enough."""
    return any(_is_public(each) for each in statements(document))


def _is_public(statement: Statement) -> bool:
    if not statement.allow:
        return False
    if statement.exempt is None and "*" not in (statement.principals or {}).get("AWS", ()):
        return False
    return not any(
        operator in _POSITIVE
        and key.lower() in _FIXING
        and all(_is_fixed(key.lower(), value) for value in wanted)
        for operator, key, wanted in statement.conditions
    )


def _is_fixed(key: str, value: str) -> bool:
    if key == "aws:sourceip":  # S3 counts networks wider than /8 as everyone
        return int(value.partition("/")[2] or 32) >= 8
    return re.search(r"[*?]|\$\{", value) is None


def canonical(document: str | None) -> Any:
    """Return a form that is equal for policies of the same meaning; statements keep their order."""
    if document is None:
        return None
    raw = json.loads(document)
    result = {key: value for key, value in raw.items() if key != "Statement"}
    result.setdefault("Version", "2008-10-17")
    result["Statement"] = [
        {key: _element(key, value) for key, value in each.items()}
        for each in listed(raw["Statement"])
    ]
    return result


def _element(key: str, value: Any) -> Any:
    match key:
        case "Principal" | "NotPrincipal":
            return {
                kind: sorted({_account(each) for each in values})
                for kind, values in principals(value).items()
            }
        case "Action" | "NotAction" | "Resource" | "NotResource":
            return sorted(set(texts(value)))
        case "Condition":
            return {
                operator: {name.lower(): sorted(set(texts(each))) for name, each in keys.items()}
                for operator, keys in value.items()
            }
        case _:
            return value


def _account(principal: str) -> str:
    """Return an account's root ARN as the account ID: both mean the same."""
    found = re.fullmatch(r"arn:[\w-]+:iam::(\d{12}):root", principal)
    return found[1] if found else principal
