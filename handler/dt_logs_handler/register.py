"""The register: what each stack has asked for, kept in the log bucket's own policy.

A registration is the vendor's read statement of one stack at one location. Its Sid says whose it
is, so that every stack sees which ones use a location, and what is shared can go with the last.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .documents import Json, Statement, parsed, statements, texts
from .marks import FORMAT, Location, Stack, digest

SID = "DTLogsAnalysis"
NONE = "0" * 8  # the digest of no set of load balancers
_READ = re.compile(
    rf"{SID}[0-9]+Read(?P<stack>[0-9a-f]{{12}})(?P<location>[0-9a-f]{{8}})"
    r"(?P<endpoint>[0-9a-f]{8})(?P<time>[0-9a-f]{8})(?P<members>[0-9a-f]{8})(?P<previous>[0-9a-f]{8})"
)
_DELIVERY = re.compile(rf"{SID}[0-9]+Deliver([0-9a-f]{{8}})")
_TLS = f"{SID}{FORMAT}TlsOnly"
# China's regions did not accept the service principal when it was last tried (2023), and still
# document these accounts of Elastic Load Balancing.
_ELB_ACCOUNTS = {"cn-north-1": "638102146993", "cn-northwest-1": "037604701340"}


def members_digest(load_balancers: Iterable[str]) -> str:
    """Return the digest of a set of requested ARNs, by which a rollback is recognised."""
    return digest("\n".join(sorted(load_balancers)), 8)


@dataclass(frozen=True)
class Registration:
    """One stack's claim on one location: who may read which load balancers' objects there.

    `load_balancers` holds names like `app/NAME/ID`; empty means the whole location. `time` is
    when CloudFormation asked for it, so that an older event can be told. `members` and `previous`
    are digests of what the stack was asked to onboard, now and before.
    """

    stack: str
    location: Location
    vendor: str
    endpoint: str
    load_balancers: frozenset[str]
    time: int
    members: str
    previous: str = NONE

    @property
    def sid(self) -> str:
        return (
            f"{SID}{FORMAT}Read{self.stack}{self.location_digest}{self.endpoint}"
            f"{self.time:08x}{self.members}{self.previous}"
        )

    @property
    def location_digest(self) -> str:
        """The digest of its location, also where its statement no longer tells the location."""
        prefix = self.location.prefix
        return prefix[1:] if prefix.startswith("/") else self.location.digest

    def covers(self, location: Location, load_balancer: str | None = None) -> bool:
        """Tell whether it claims the location, and there the load balancer if one is given."""
        if self.location_digest != location.digest:
            return False
        return (
            load_balancer is None or not self.load_balancers or load_balancer in self.load_balancers
        )

    def statement(self, stack: Stack) -> Statement:
        """Render it as the statement that lets the vendor's account read, and nothing more."""
        return {
            "Sid": self.sid,
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{stack.partition}:iam::{self.vendor}:root"},
            "Action": "s3:GetObject",
            "Resource": [*self._resources(stack)],
        }

    def _resources(self, stack: Stack) -> list[str]:
        base = _arn(self.location.bucket, self.location.log_prefix(stack), stack)
        if not self.load_balancers:
            return [f"{base}*"]
        file = f"*/{stack.account}_elasticloadbalancing_{stack.region}_"
        names = (name.replace("/", ".") for name in sorted(self.load_balancers))
        return [f"{base}{file}{name}_*" for name in names]


def registrations(policy: str | None, bucket: str, stack: Stack) -> list[Registration]:
    """Read the register out of a bucket's policy.

    Where somebody has edited the resources of such a statement beyond recognition, its Sid still
    tells the digest of its location: it counts as a claim on all of it, and nothing shared goes.
    """
    found = []
    for statement in statements(parsed(policy)) if policy else ():
        sid = statement.get("Sid")
        match_ = _READ.fullmatch(sid) if isinstance(sid, str) else None
        if match_:
            found.append(_registration(statement, match_, bucket, stack))
    return found


def _registration(
    statement: Statement, sid: re.Match[str], bucket: str, stack: Stack
) -> Registration:
    log_prefix = Location("", "").log_prefix(stack)
    shape = re.compile(
        rf"arn:[^:]+:s3:::{re.escape(bucket)}/(?:(?P<prefix>.*)/)?{re.escape(log_prefix)}"
        rf"(?:\*/{stack.account}_elasticloadbalancing_{stack.region}_(?P<name>app\.[^_/]+)_)?\*"
    )
    principal = statement.get("Principal")
    account = re.fullmatch(
        r"(?:arn:[^:]+:iam::)?([0-9]{12})(?::root)?",
        next(iter(texts(principal.get("AWS"))), "") if isinstance(principal, dict) else "",
    )
    resources = [shape.fullmatch(text) for text in texts(statement.get("Resource"))]
    location = Location(bucket, f"/{sid['location']}")  # which no prefix begins with
    names: set[str] = set()
    for resource in resources:
        if resource:
            location = Location(bucket, _literal(resource["prefix"] or ""))
            if resource["name"]:
                names.add(resource["name"].replace(".", "/"))
    return Registration(
        stack=sid["stack"],
        location=location,
        vendor=account[1] if account else "",
        endpoint=sid["endpoint"],
        load_balancers=frozenset(names),
        time=int(sid["time"], 16),
        members=sid["members"],
        previous=sid["previous"],
    )


def delivery_statement(location: Location, stack: Stack) -> Statement:
    """Let Elastic Load Balancing write the account's logs to a location.

    Without a condition: for ALBs, AWS documents none that works; the account is in the path.
    """
    principal: dict[str, Json] = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    if account := _ELB_ACCOUNTS.get(stack.region):
        principal["AWS"] = f"arn:{stack.partition}:iam::{account}:root"
    return {
        "Sid": f"{SID}{FORMAT}Deliver{location.digest}",
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:PutObject",
        "Resource": _arn(location.bucket, location.key(f"AWSLogs/{stack.account}/"), stack) + "*",
    }


def tls_statement(bucket: str, stack: Stack) -> Statement:
    """Refuse every access without TLS; for buckets that we made."""
    arn = f"arn:{stack.partition}:s3:::{bucket}"
    return {
        "Sid": _TLS,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def delivered_location(sid: str) -> str | None:
    """Return the digest of the location whose delivery statement this is, if it is one."""
    found = _DELIVERY.fullmatch(sid)
    return found[1] if found else None


def registered_location(sid: str) -> str | None:
    """Return the digest of the location that a registration's Sid is for, if it is one."""
    found = _READ.fullmatch(sid)
    return found["location"] if found else None


def _arn(bucket: str, key: str, stack: Stack) -> str:
    """Return an object ARN in which what stands in the key means itself, wildcards too."""
    literal = re.sub(r"[*?$]", r"${\g<0>}", key)
    return f"arn:{stack.partition}:s3:::{bucket}/{literal}"


def _literal(pattern: str) -> str:
    return re.sub(r"\$\{([*?$])\}", r"\1", pattern)
