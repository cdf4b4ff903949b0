"""Check that logs can flow through a bucket to the vendor, and say what to do if they cannot.

A Deny statement is reported only if it certainly applies: its principal, action and resource match,
and each condition is known to hold for a caller outside the customer's organisation and networks.
Any other condition counts as not met.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING

from .documents import compact, listed, parsed, principals, statements, texts
from .errors import ALLOW, Refused
from .model import Absent, Unreadable
from .register import LOG_DELIVERY, object_arn, root

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .documents import Json, Statement
    from .model import Bucket
    from .names import Location, Stack


def usable(
    found: Bucket | Absent | Unreadable,
    location: Location,
    account: str,
    stack: Stack,
) -> Bucket:
    """Return the bucket; raise Refused if logs could not flow through it to the vendor's account.

    The failure names the setting or the statement to change.
    """
    bucket = location.bucket
    if isinstance(found, Absent):
        raise Refused(
            f"Bucket {bucket}, to which the load balancer logs, does not exist.",
            "Create it again or set another bucket, then run the stack again.",
        )
    if isinstance(found, Unreadable):
        raise Refused(
            f"Bucket {bucket} cannot be read ({found.why}).",
            f"{ALLOW}, or set a bucket of this account, then run the stack again.",
        )
    ours = found.maker == stack.tag  # the plan corrects its settings
    if found.encryption != "AES256" and not ours:
        raise Refused(
            f"Bucket {bucket} encrypts with {found.encryption} by default; load balancers log only"
            " to buckets with SSE-S3.",
            "Set its default encryption to SSE-S3 (AES256), or set another bucket.",
        )
    if found.ownership not in ("BucketOwnerEnforced", "BucketOwnerPreferred") and not ours:
        raise Refused(
            f"Bucket {bucket} has the object ownership {found.ownership}, so Data Theorem"
            " cannot read ELB's log objects there.",
            "Set its object ownership to BucketOwnerEnforced (or BucketOwnerPreferred).",
        )
    if found.public and found.public_access_block.get("RestrictPublicBuckets"):
        raise Refused(
            f"Bucket {bucket} has RestrictPublicBuckets and a public statement in its policy, so no"
            " other account can read.",
            "Remove that statement, or give it a condition that makes it not public.",
        )
    log = f"2026/01/01/{stack.account}_elasticloadbalancing_{stack.region}_app.x.log.gz"
    arn = object_arn(bucket, location.log_prefix(stack) + log, stack)
    if sid := denying(found.policy, vendor(account, stack.partition), "s3:GetObject", arn):
        condition = compact({"StringNotEquals": {"aws:PrincipalAccount": account}})
        raise Refused(
            f"Statement {sid} of the policy of bucket {bucket} denies Data Theorem's account"
            f" {account} read access.",
            f"Merge {condition} into its Condition, keeping its values.",
        )
    return found


def can_receive(bucket: Bucket, location: Location, stack: Stack) -> None:
    """Raise Refused if ELB could not start logging to a bucket."""
    if bucket.region not in ("", stack.region):
        raise Refused(
            f"Bucket {bucket.name} is in region {bucket.region}; load balancers log only to"
            f" buckets of their own region, {stack.region}.",
            f"Use a bucket in {stack.region}.",
        )
    if "AWSLogs" in location.prefix:
        raise Refused(
            f"The access-log prefix {location.prefix!r} contains AWSLogs, which ELB refuses.",
            "Set another prefix.",
        )
    arn = object_arn(bucket.name, location.test_file(stack), stack)
    if sid := denying(bucket.policy, delivery(), "s3:PutObject", arn):
        raise Refused(
            f"Statement {sid} of the policy of bucket {bucket.name} denies Elastic Load Balancing"
            " write access.",
            'Add the condition {"Bool":{"aws:PrincipalIsAWSService":"false"}} to it.',
        )


@dataclass(frozen=True)
class Caller:
    """A caller, with its known context keys; None marks a key that is known to be absent.

    `principals` holds the ways, except `*`, in which a policy can name the caller.
    """

    kind: str  # the key under Principal: AWS or Service
    principals: tuple[str, ...]
    context: Mapping[str, str | None]


# The context of a call over the internet.
_OUTSIDE = {
    "aws:securetransport": "true",
    "aws:sourcevpc": None,
    "aws:sourcevpcarn": None,
    "aws:sourcevpce": None,
    "aws:vpceaccount": None,
    "aws:vpceorgid": None,
    "aws:vpcsourceip": None,
}


def vendor(account: str, partition: str) -> Caller:
    """Return the vendor's account as a caller outside the customer's organisation and networks."""
    arn = root(account, partition)
    known = {
        "aws:principalaccount": account,
        "aws:principalarn": arn.removesuffix("root"),  # a role whose name is unknown
        "aws:principalisawsservice": "false",
        "aws:principalorgid": "another organisation",
        "aws:viaawsservice": "false",
    }
    return Caller("AWS", (account, arn), _OUTSIDE | known)


def delivery() -> Caller:
    """Return Elastic Load Balancing's log delivery as a caller."""
    known = {
        "aws:principalisawsservice": "true",
        "aws:principalorgid": None,
        "aws:principalservicename": LOG_DELIVERY,
    }
    return Caller("Service", (LOG_DELIVERY,), _OUTSIDE | known)


def denying(policy: str | None, caller: Caller, action: str, resource: str) -> str | None:
    """Return the Sid or number of the first statement that certainly denies the call, or None."""
    named = ("*", *caller.principals)
    for number, statement in enumerate(statements(parsed(policy or "{}")), 1):
        if (
            statement.get("Effect") == "Deny"
            and _lists(
                statement,
                "Principal",
                lambda each: each in named,
                # `*` under AWS also means every service.
                lambda each: principals(each, caller.kind) + principals(each),
            )
            and _lists(statement, "Action", lambda each: _like(each.lower(), action.lower()))
            and _lists(statement, "Resource", lambda each: _like(each, resource))
            and _holds(statement.get("Condition"), caller.context)
        ):
            return str(statement.get("Sid") or f"number {number}")
    return None


def _lists(
    statement: Statement,
    key: str,
    matches: Callable[[str], bool],
    read: Callable[[Json], list[str]] = texts,
) -> bool:
    """Return whether a call matches a statement's element, in its plain or its Not form."""
    negated = f"Not{key}" in statement
    return any(map(matches, read(statement.get(f"Not{key}" if negated else key)))) != negated


def _like(pattern: str, value: str) -> bool:
    return re.match(translate(pattern.replace("[", "[[]")), value) is not None


def _same(wanted: str, value: str) -> bool:
    return wanted.lower() == value.lower()


# The comparisons of condition operators, by the operators' names without Not and IfExists.
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "bool": _same,
    "stringequals": str.__eq__,
    "stringequalsignorecase": _same,
    "stringlike": _like,
    "arnequals": _like,
    "arnlike": _like,
    "ipaddress": _same,  # we know only whether the key is absent
}


def _holds(condition: Json, context: Mapping[str, str | None]) -> bool:
    """Return whether all conditions are known to hold."""
    return not isinstance(condition, dict) or all(
        key.lower() in context and _compares(operator.lower(), listed(wanted), context[key.lower()])
        for operator, keys in condition.items()
        if isinstance(keys, dict)
        for key, wanted in keys.items()
    )


def _compares(operator: str, wanted: list[Json], value: str | None) -> bool:
    texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in wanted]
    if operator == "null":
        return texts == [str(value is None).lower()]
    name = operator.removesuffix("ifexists")
    compare = _OPERATORS.get(name.replace("not", ""))
    if compare is None:
        return False
    negated = "not" in name
    if value is None:
        return negated or name != operator
    if negated:  # an exception for a role of the vendor may be for the role that reads
        texts = [re.sub(r"((.*?:){5})[^*]*(\*?).*", r"\1\3", each) for each in texts]
    return any(compare(each, value) for each in texts) != negated
