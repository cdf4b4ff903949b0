"""The register of the stacks' claims, kept in the log buckets' policies.

A registration is a bucket policy statement that lets the vendor read one location for one stack.
Its Sid names the stack, so every stack sees which stacks use a location. The last of these stacks
removes what they share. Edits change neither other stacks' registrations nor the customer's
statements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .documents import (
    ACCOUNT,
    compact,
    listed,
    parsed,
    principals,
    same_statement,
    statements,
    texts,
)
from .errors import Refused
from .names import FORMAT, Location

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .documents import Json, Statement
    from .names import Stack

LIMIT = 20 * 1024  # bytes; S3's limit for a bucket policy
SID = "DTLogsAnalysis"
NONE = "0" * 8  # in place of a request's digest if there was no request
_DIGEST = "([0-9a-f]{8})"
# Groups: stack, location, endpoint, time, asked, previous, turned on.
_READ = re.compile(f"{SID}[0-9]+Read([0-9a-f]{{12}}){_DIGEST * 5}([01])")
_DELIVERY = re.compile(f"{SID}[0-9]+Deliver{_DIGEST}")
LOG_DELIVERY = "logdelivery.elasticloadbalancing.amazonaws.com"
# China's regions did not accept the service principal when last tried (2023). For these regions,
# AWS still documents Elastic Load Balancing's accounts.
_ELB_ACCOUNTS = {"cn-north-1": "638102146993", "cn-northwest-1": "037604701340"}


@dataclass(frozen=True)
class Registration:
    """One stack's claim on one location: who may read which load balancers' log files there.

    `load_balancers` holds names like `app/NAME/ID`; empty means the whole location. `time` is when
    CloudFormation sent the event, so that older events can be recognised. `asked` and `previous`
    are the digests of the stack's latest request and of the latest earlier one that differed.
    `turned_on` is true if one of our stacks turned on the logging to this location.
    """

    stack: str
    location: Location
    vendor: str
    endpoint: str
    load_balancers: frozenset[str]
    time: int = 0
    asked: str = NONE
    previous: str = NONE
    turned_on: bool = False

    @property
    def sid(self) -> str:
        return (
            f"{SID}{FORMAT}Read{self.stack}{self.location_digest}{self.endpoint}"
            f"{self.time:08x}{self.asked}{self.previous}{self.turned_on:d}"
        )

    @property
    def location_digest(self) -> str:
        """The location's digest, even if the statement no longer names the location."""
        prefix = self.location.prefix
        return prefix[1:] if prefix.startswith("/") else self.location.digest

    def covers(self, location: Location, load_balancer: str | None = None) -> bool:
        """Return whether the registration claims the location and, if given, the load balancer."""
        named = load_balancer is None or load_balancer in (self.load_balancers or {load_balancer})
        return named and self.location_digest == location.digest

    def inert(self, stack: Stack) -> bool:
        """Return whether the registration was disarmed, so that it no longer grants anything."""
        return self.vendor == stack.account

    def statement(self, stack: Stack) -> Statement:
        """Return the statement that lets the vendor's account read only the claimed log files."""
        base = object_arn(self.location.bucket, _literally(self.location.log_prefix(stack)), stack)
        base += f"*/{stack.account}_elasticloadbalancing_{stack.region}_"
        names = [name.replace("/", ".") + "_" for name in sorted(self.load_balancers)]
        return {
            "Sid": self.sid,
            "Effect": "Allow",
            "Principal": {"AWS": root(self.vendor, stack.partition)},
            "Action": "s3:GetObject",
            "Resource": [f"{base}{name}*" for name in names or ["app."]],
        }


def registrations(policy: str | None, bucket: str, stack: Stack) -> list[Registration]:
    """Read the register from a bucket's policy.

    The Sid identifies the location even if somebody has edited the statement's resources beyond
    recognition. Such a statement counts as a claim on the whole location.
    """
    return [
        _registration(each, sid, bucket, stack)
        for each in statements(parsed(policy or "{}"))
        if (sid := _READ.fullmatch(_sid(each)))
    ]


def _registration(
    statement: Statement, sid: re.Match[str], bucket: str, stack: Stack
) -> Registration:
    tag, digest, endpoint, time, asked, previous, on = sid.groups()
    shape = (
        rf"arn:[^:]+:s3:::{re.escape(bucket)}/(?:(.*)/)?{Location('', '').log_prefix(stack)}"
        rf"\*/{stack.account}_elasticloadbalancing_{stack.region}_(?:app\.\*|(app\.[^_/]+)_\*)"
    )
    account = ACCOUNT.fullmatch("".join(principals(statement.get("Principal"))[:1]))
    location = Location(bucket, f"/{digest}")  # a real prefix never begins with a slash
    names = set()
    for resource in texts(statement.get("Resource")):
        if found := re.fullmatch(shape, resource):
            location = Location(bucket, re.sub(r"\$\{([*?$])\}", r"\1", found[1] or ""))
            names.add((found[2] or "").replace(".", "/"))
    return Registration(
        tag,
        location,
        account[1] if account else "",
        endpoint,
        frozenset(names - {""}),
        int(time, 16),
        asked,
        previous,
        on == "1",
    )


def delivery_statement(location: Location, stack: Stack) -> Statement:
    """Return the statement that lets Elastic Load Balancing write the account's logs to a location.

    The statement does not have a condition, because AWS does not document one that works for ALBs.
    The path in its resource contains the account ID.
    """
    principal: dict[str, Json] = {"Service": LOG_DELIVERY}
    if account := _ELB_ACCOUNTS.get(stack.region):
        principal["AWS"] = root(account, stack.partition)
    logs = _literally(location.key(f"AWSLogs/{stack.account}/"))
    return {
        "Sid": f"{SID}{FORMAT}Deliver{location.digest}",
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:PutObject",
        "Resource": object_arn(location.bucket, logs + "*", stack),
    }


def tls_statement(bucket: str, stack: Stack) -> Statement:
    """Return the statement that denies access without TLS, for buckets that we made."""
    every = object_arn(bucket, "*", stack)
    return {
        "Sid": f"{SID}{FORMAT}TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [every.removesuffix("/*"), every],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


@dataclass(frozen=True)
class PolicyEdit:
    """Statements to put, by Sid, and Sids to drop or to disarm.

    A disarmed statement keeps its Sid; its principal becomes `owner`, the bucket's own account. It
    no longer lets another account read, but the registration can still be found.
    """

    put: tuple[Statement, ...] = ()
    drop: frozenset[str] = frozenset()
    disarm: frozenset[str] = frozenset()
    owner: str = ""

    def applied(self, policy: str | None) -> str | None:
        """Return the policy after the edit, or None if no statement is left.

        Repeatable. Stacks share delivery statements; each is removed once no stack is registered
        for its location. If nothing changes, the policy is returned byte for byte.
        """
        document = parsed(policy or '{"Version":"2012-10-17"}')
        before = listed(document.get("Statement"))
        put: dict[str, Json] = {_sid(statement): statement for statement in self.put}
        after = []
        for statement in before:
            sid = _sid(statement)
            dropped = sid in self.drop and not _DELIVERY.fullmatch(sid)
            new = put.pop(sid, None if dropped else statement)
            if isinstance(statement, dict) and sid in self.disarm:
                new = {**statement, "Principal": {"AWS": self.owner}}
            if new is not None:
                after.append(statement if same_statement(statement, new) else new)
        after += put.values()
        claimed = {found[2] for each in after if (found := _READ.fullmatch(_sid(each)))}
        after = [
            each
            for each in after
            if not (found := _DELIVERY.fullmatch(_sid(each))) or found[1] in claimed
        ]
        if after == before:
            return policy
        return compact({**document, "Statement": after}) if after else None


def disarming(claims: Iterable[Registration], stack: Stack) -> PolicyEdit:
    """Return the edit that keeps these registrations, but ends the access that they grant."""
    return PolicyEdit(
        disarm=frozenset(each.sid for each in claims), owner=root(stack.account, stack.partition)
    )


def _sid(statement: Json) -> str:
    sid = statement.get("Sid") if isinstance(statement, dict) else None
    return sid if isinstance(sid, str) else ""


def sids(policy: str | None) -> frozenset[str]:
    """Return the Sids of a policy."""
    return frozenset(map(_sid, statements(parsed(policy or "{}"))))


def check_policy(policy: str | None, bucket: str) -> None:
    """Raise Refused for a policy that is too long or names a deleted principal.

    S3 shows a deleted principal as its unique ID. Putting a policy that contains such an ID fails
    with MalformedPolicy.
    """
    size = len((policy or "").encode())
    if size > LIMIT:
        raise Refused(
            f"The policy of bucket {bucket} would grow to {size} bytes; S3 allows {LIMIT}.",
            "Remove statements, or set VendorReadScope=Location, then run the stack again.",
            bucket,
        )
    if dead := dead_principal(policy):
        raise Refused(
            f"S3 refuses to change the policy of bucket {bucket}: {dead}, which was deleted.",
            "Remove that principal, then run the stack again.",
            bucket,
        )


def dead_principal(policy: str | None) -> str | None:
    """Describe the first statement that names a deleted user's or role's ID, or return None."""
    for number, statement in enumerate(statements(parsed(policy or "{}")), 1):
        for key in ("Principal", "NotPrincipal"):
            for each in principals(statement.get(key)):
                if re.fullmatch("A[A-Z]{3}[A-Z0-9]{12,}", each):
                    return f"statement {_sid(statement) or number} names the principal {each}"
    return None


def root(account: str, partition: str) -> str:
    """Return an account's ARN as a principal."""
    return f"arn:{partition}:iam::{account}:root"


def object_arn(bucket: str, key: str, stack: Stack) -> str:
    """Return the ARN of a bucket's objects with this key, which may contain wildcards."""
    return f"arn:{stack.partition}:s3:::{bucket}/{key}"


def _literally(key: str) -> str:
    """Escape a key's special characters, so that an ARN pattern matches the key literally."""
    return re.sub(r"[*?$]", r"${\g<0>}", key)
