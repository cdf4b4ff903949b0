"""Evaluate IAM policies, compare them by meaning, and decide whether S3 considers one public."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from dt_logs_rehearsal.account.iam.conditions import Context, glob, holds

# A grant to everyone is not public if a condition limits one of these keys to fixed values
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
_VARIABLE = re.compile(r"\$\{([^}*?$,][^},]*)(?:, *'([^']*)')?\}")


class Decision(Enum):
    """The decision of policies about a request; an explicit Deny overrides every Allow."""

    ALLOW = "allow"
    DENY = "deny"
    SILENT = "silent"


@dataclass(frozen=True)
class Principal:
    """The caller: an identity of an account, or an AWS service."""

    account: str = ""
    arn: str = ""
    service: str = ""

    def is_named(self, value: str) -> bool:
        """Return whether an `AWS` principal names this identity or, for a session, its role."""
        if value == self.arn:
            return True
        _, kind, rest = self.arn.partition(":assumed-role/")
        prefix, _, name = value.rpartition("/")
        return bool(kind) and f":{self.account}:role" in prefix and name == rest.split("/")[0]

    def is_of(self, value: str) -> bool:
        """Return whether an `AWS` principal names this identity's account."""
        return bool(self.account) and (
            value == self.account or value.endswith(f":iam::{self.account}:root")
        )


@dataclass(frozen=True)
class Request:
    """A principal's action on a resource; context keys are in lower case."""

    principal: Principal
    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """A compiled statement of a policy; `name` is its Sid, or its number if it has none."""

    name: str
    allow: bool
    principals: Mapping[str, tuple[str, ...]] | None
    exempt: Mapping[str, tuple[str, ...]] | None
    action: re.Pattern[str]
    all_but_action: bool
    resources: tuple[str, ...]
    all_but_resource: bool
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]

    def speaks_of(self, request: Request) -> bool:
        """Return whether every element of the statement matches the request."""
        return (
            (self.action.fullmatch(request.action) is not None) != self.all_but_action
            and self._names(request.principal)
            and self._covers(request) != self.all_but_resource
            and all(
                holds(operator, key, _resolved(wanted, request.context), request.context)
                for operator, key, wanted in self.conditions
            )
        )

    def _names(self, principal: Principal) -> bool:
        if self.exempt is not None:
            return not _exempt(self.exempt, principal)
        if self.principals is None:  # an identity's policy does not name principals
            return True
        named = self.principals.get("AWS", ())
        if "*" in named:
            return True
        if principal.service:
            return principal.service in self.principals.get("Service", ())
        return any(principal.is_of(value) or principal.is_named(value) for value in named)

    def _covers(self, request: Request) -> bool:
        return any(
            glob(pattern).fullmatch(request.resource) is not None
            for pattern in _resolved(self.resources, request.context)
        )


def _exempt(listed: Mapping[str, tuple[str, ...]], principal: Principal) -> bool:
    """Return whether NotPrincipal exempts the principal.

    An identity is exempt only if its account is listed as well [IAM reference,
    reference_policies_elements_notprincipal.md].
    """
    named = listed.get("AWS", ())
    if principal.service:
        return principal.service in listed.get("Service", ())
    return "*" in named or (
        any(map(principal.is_of, named))
        and (principal.arn.endswith(":root") or any(map(principal.is_named, named)))
    )


def _resolved(patterns: tuple[str, ...], context: Context) -> tuple[str, ...]:
    """Return patterns with variables filled in; leave out patterns whose variables lack a value.

    A variable may have a default, `${key, 'value'}` [IAM reference,
    reference_policies_variables.md].
    """
    if not any("${" in pattern for pattern in patterns):
        return patterns

    def value(match: re.Match[str]) -> str | None:
        found = context.get(match[1].lower())
        return found if isinstance(found, str) else match[2]

    return tuple(
        _VARIABLE.sub(lambda match: value(match) or "", pattern)
        for pattern in patterns
        if all(value(match) is not None for match in _VARIABLE.finditer(pattern))
    )


def evaluate(documents: Iterable[str], request: Request) -> Decision:
    """Return the joint decision of policies, given as JSON strings, about the request."""
    return decided(documents, request)[0]


def decided(documents: Iterable[str], request: Request) -> tuple[Decision, str]:
    """Return the policies' decision about the request, and the name of the deciding statement."""
    decision, name = Decision.SILENT, ""
    for document in documents:
        for statement in statements(document):
            if statement.speaks_of(request):
                if not statement.allow:
                    return Decision.DENY, statement.name
                if decision is Decision.SILENT:
                    decision, name = Decision.ALLOW, statement.name
    return decision, name


@lru_cache(maxsize=8192)
def statements(document: str) -> tuple[Statement, ...]:
    """Compile the statements of a policy, given as a JSON string that AWS accepts."""
    raw = listed(json.loads(document)["Statement"])
    return tuple(_compiled(each, number) for number, each in enumerate(raw, 1))


def _compiled(raw: dict[str, Any], number: int) -> Statement:
    actions = texts(raw.get("Action", raw.get("NotAction")))
    conditions = raw.get("Condition", {})
    return Statement(
        name=raw.get("Sid") or f"statement {number}",
        allow=raw["Effect"] == "Allow",
        principals=principals(raw["Principal"]) if "Principal" in raw else None,
        exempt=principals(raw["NotPrincipal"]) if "NotPrincipal" in raw else None,
        action=re.compile("|".join(glob(each).pattern for each in actions), re.IGNORECASE),
        all_but_action="NotAction" in raw,
        resources=texts(raw.get("Resource", raw.get("NotResource"))),
        all_but_resource="NotResource" in raw,
        conditions=tuple(
            (operator, key, texts(values))
            for operator, keys in conditions.items()
            for key, values in keys.items()
        ),
    )


def principals(raw: Any) -> dict[str, tuple[str, ...]]:
    """Return a Principal element's values by kind; `"*"` means every AWS principal."""
    if raw == "*":
        return {"AWS": ("*",)}
    return {kind: texts(values) for kind, values in raw.items()}


def listed(raw: Any) -> list[Any]:
    """Return a value as a list; AWS accepts a single value without a list."""
    return raw if isinstance(raw, list) else [raw]


def texts(raw: Any) -> tuple[str, ...]:
    """Return one or several values as strings, in the form in which IAM compares them."""
    if isinstance(raw, str):
        return (raw,)
    return tuple(str(each).lower() if isinstance(each, bool) else str(each) for each in listed(raw))


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
    if key == "aws:sourceip":  # S3 treats an IPv4 range wider than /8 as public
        return int(value.partition("/")[2] or 32) >= 8
    return re.search(r"[*?]|\$\{", value) is None


def canonical(document: str | None) -> Any:
    """Return a policy as data, equal for policies with the same meaning and statement order."""
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
    """Replace an account's root ARN with its ID, which means the same; keep other values."""
    found = re.fullmatch(r"arn:[\w-]+:iam::(\d{12}):root", principal)
    return found[1] if found else principal
