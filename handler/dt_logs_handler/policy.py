"""Editing a bucket's policy: our statements by Sid, everything else as it was."""

import re
from dataclasses import dataclass

from .documents import Json, Statement, compact, listed, parsed, same_statement, statements, texts
from .errors import Refused
from .register import delivered_location, registered_location

LIMIT = 20 * 1024  # bytes; S3's limit for a bucket policy


@dataclass(frozen=True)
class Edit:
    """Statements to put, by Sid, and Sids to drop; the rest of the policy is not ours."""

    put: tuple[Statement, ...] = ()
    drop: frozenset[str] = frozenset()

    def applied(self, policy: str | None) -> str | None:
        """Return the policy after the edit, or None where no statement is left.

        Repeatable. Delivery statements are shared: each stays as long as any stack's registration
        for its location does, and goes with the last one, whoever made it. A policy in which
        nothing changes is returned as it is, to the letter.
        """
        document = parsed(policy) if policy else _empty()
        before = listed(document.get("Statement"))
        put = {_sid(statement): statement for statement in self.put}
        after: list[Json] = []
        for statement in before:
            sid = _sid(statement)
            if sid in put:
                new = put.pop(sid)
                same = isinstance(statement, dict) and same_statement(statement, new)
                after.append(statement if same else new)
            elif sid not in self.drop or delivered_location(sid):
                after.append(statement)
        after.extend(put.values())
        after = _without_orphans(after)
        if after == before:
            return policy
        return compact({**document, "Statement": after}) if after else None


def _empty() -> dict[str, Json]:
    return {"Version": "2012-10-17", "Statement": []}


def _without_orphans(items: list[Json]) -> list[Json]:
    claimed = {registered_location(_sid(item)) for item in items}
    return [item for item in items if delivered_location(_sid(item)) in claimed | {None}]


def _sid(statement: Json) -> str:
    sid = statement.get("Sid") if isinstance(statement, dict) else None
    return sid if isinstance(sid, str) else ""


def sids(policy: str | None) -> frozenset[str]:
    """Return the Sids of a policy."""
    return frozenset(_sid(each) for each in statements(parsed(policy))) if policy else frozenset()


def check(policy: str | None, bucket: str) -> None:
    """Refuse, before the put, a policy that S3 would not take; raises Refused.

    S3 takes no principal of which only the unique id is left, since whoever it was is deleted:
    the whole put would fail with MalformedPolicy.
    """
    if policy is None:
        return
    size = len(policy.encode())
    if size > LIMIT:
        raise Refused(
            f"The policy of bucket {bucket} would grow to {size} bytes, beyond S3's {LIMIT}.",
            "Set VendorReadScope=Location, which needs one statement for all load balancers of a"
            " location, or remove statements.",
            bucket,
        )
    dead = dead_principal(policy)
    if dead:
        raise Refused(
            f"The policy of bucket {bucket} can be changed by nobody, since {dead}, which was"
            " deleted.",
            "Remove that principal from the policy and run the stack again.",
            bucket,
        )


def dead_principal(policy: str) -> str | None:
    """Name the first statement whose principal is the id of a deleted user or role."""
    for number, statement in enumerate(statements(parsed(policy)), 1):
        for key in ("Principal", "NotPrincipal"):
            principal = statement.get(key)
            for text in texts(principal.get("AWS")) if isinstance(principal, dict) else ():
                if re.fullmatch(r"A[A-Z]{3}[A-Z0-9]{12,}", text):
                    return f"statement {_sid(statement) or number} names the principal {text}"
    return None
