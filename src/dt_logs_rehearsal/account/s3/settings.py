"""S3: the settings of a bucket, with the operations that read, replace or remove them.

Each setting is a field of `Bucket`; `_read` and `_write` return its operations.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.world import (
    BLOCK_ALL,
    SSE_S3,
    Bucket,
    Call,
    Operation,
    Params,
    Response,
    World,
)

_OWNERSHIPS = ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
# [S3 API, Tag; the characters that AWS usually allows in tags]
_TAG = re.compile(r"[\w\s+\-=.:/@]*")
# The values of TransitionDefaultMinimumObjectSize, with the default first.
_SIZES = ("all_storage_classes_128K", "varies_by_storage_class")


def malformed() -> Refused:
    """Return S3's refusal of a body that does not fit S3's schema."""
    return Refused(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def _read(
    field: str, shown: Callable[[Any], Response], missing: tuple[str, str] | None = None
) -> Operation:
    """Return the operation that reads a setting; `missing` is the error if the setting is unset."""

    def read(world: World, call: Call) -> Response:
        bucket = world.buckets[call.params["Bucket"]]
        value = deepcopy(getattr(bucket, field))
        if missing is not None and (value is None or value == {}):
            raise Refused(*missing, 404, BucketName=bucket.name)
        return shown(value)

    return read


def _choice(field: str, parameter: str, name: str, *values: str) -> tuple[Operation, Operation]:
    """Return the operations that read and replace a setting with a fixed set of possible values."""

    def checked(world: World, bucket: Bucket, params: Params) -> str:
        value = params[parameter].get(name)
        if value not in values:
            raise malformed()
        return str(value)

    def shown(value: str) -> Response:
        return {name: value} if value else {}

    return _read(field, shown), _write(field, checked)


def _write(field: str, checked: Callable[[World, Bucket, Params], Any]) -> Operation:
    """Return the operation that replaces a setting with the value that `checked` returns."""

    def write(world: World, call: Call) -> Response:
        bucket = world.buckets[call.params["Bucket"]]
        setattr(bucket, field, deepcopy(checked(world, bucket, call.params)))
        return {}

    return write


def _checked_encryption(world: World, bucket: Bucket, params: Params) -> list[dict[str, Any]]:
    rules = params["ServerSideEncryptionConfiguration"]["Rules"]
    if len(rules) != 1:
        raise malformed()
    rule = {**SSE_S3[0], **rules[0]}
    default = rule["ApplyServerSideEncryptionByDefault"]
    if default["SSEAlgorithm"] not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise malformed()
    if default["SSEAlgorithm"] == "AES256" and "KMSMasterKeyID" in default:
        raise Refused(  # [localstack tests/aws/services/s3/test_s3_api]
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or"
            " aws:kms:dsse",
            ArgumentName="ApplyServerSideEncryptionByDefault",
        )
    return [rule]


# Since 2023, every bucket has had a default encryption.
get_bucket_encryption = _read(
    "encryption", lambda rules: {"ServerSideEncryptionConfiguration": {"Rules": rules}}
)
put_bucket_encryption = _write("encryption", _checked_encryption)


def _checked_ownership(world: World, bucket: Bucket, params: Params) -> str:
    rules = params["OwnershipControls"]["Rules"]
    if len(rules) != 1 or rules[0]["ObjectOwnership"] not in _OWNERSHIPS:
        raise malformed()
    return str(rules[0]["ObjectOwnership"])


get_bucket_ownership_controls = _read(
    "ownership",
    lambda ownership: {"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]}},
    ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
)
put_bucket_ownership_controls = _write("ownership", _checked_ownership)


def public_access_block(settings: Mapping[str, bool] | None) -> Response:
    """Return Block Public Access settings; raise Refused if they were never set."""
    if settings is None:
        raise Refused(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
            404,
        )
    return {"PublicAccessBlockConfiguration": dict(settings)}


def _checked_block(world: World, bucket: Bucket, params: Params) -> dict[str, bool]:
    given = params["PublicAccessBlockConfiguration"]
    return {flag: bool(given.get(flag, False)) for flag in BLOCK_ALL}


get_public_access_block = _read("public_access_block", public_access_block)
put_public_access_block = _write("public_access_block", _checked_block)


get_bucket_versioning, put_bucket_versioning = _choice(
    "versioning", "VersioningConfiguration", "Status", "Enabled", "Suspended"
)
get_bucket_request_payment, put_bucket_request_payment = _choice(
    "payer", "RequestPaymentConfiguration", "Payer", "BucketOwner", "Requester"
)
_, put_bucket_abac = _choice("abac", "AbacStatus", "Status", "Enabled", "Disabled")
get_bucket_abac = _read("abac", lambda status: {"AbacStatus": {"Status": status}})


def _checked_lifecycle(world: World, bucket: Bucket, params: Params) -> Response:
    """Check a lifecycle configuration, and return it with an ID for each rule.

    A call without TransitionDefaultMinimumObjectSize resets that setting [localstack
    tests/aws/services/s3/test_s3].
    """
    size = params.get("TransitionDefaultMinimumObjectSize", _SIZES[0])
    if size not in _SIZES:
        text = f"Invalid TransitionDefaultMinimumObjectSize found: {size}"
        raise Refused("InvalidRequest", text)
    given = params.get("LifecycleConfiguration", {}).get("Rules", [])
    if not 0 < len(given) <= 1000:
        raise malformed()
    rules = [{**rule, "ID": rule.get("ID") or world.unique()} for rule in given]
    for rule in rules:
        _check_rule(rule)
    if len({rule["ID"] for rule in rules}) != len(rules):
        raise Refused(
            "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule"
        )
    return {"Rules": rules, "TransitionDefaultMinimumObjectSize": size}


def _check_rule(rule: Mapping[str, Any]) -> None:
    if rule["Status"] not in ("Enabled", "Disabled") or ("Filter" in rule) == ("Prefix" in rule):
        raise malformed()
    if rule.get("NoncurrentVersionExpiration") == {}:  # [localstack .../s3/test_s3]
        raise malformed()
    if len(rule["ID"]) > 255:
        raise Refused("InvalidArgument", "ID length should not exceed allowed limit of 255")
    days = rule.get("Expiration", {}).get("Days")
    if days is not None and days < 1:
        raise Refused("InvalidArgument", "'Days' for Expiration action must be a positive integer")
    if not any(re.match("Abort|Expiration|Noncurrent|Transition", key) for key in rule):
        raise Refused("InvalidRequest", "At least one action needs to be specified in a rule")


get_bucket_lifecycle_configuration = _read(
    "lifecycle",
    lambda configuration: configuration,
    ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
)
put_bucket_lifecycle_configuration = _write("lifecycle", _checked_lifecycle)
delete_bucket_lifecycle = _write("lifecycle", lambda world, bucket, params: None)


def new_tags(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Check a new bucket's tags, with CreateBucket's own errors, and return them as a mapping.

    [localstack tests/aws/services/s3/test_s3_api]
    """
    given = list(tags)
    if len({tag["Key"] for tag in given}) != len(given):
        text = "We encountered an internal error. Please try again."
        raise Refused("InternalError", text, 500)
    result = _checked_tags(given)
    if reserved := list(_system_tags(result)):
        raise Refused(
            "InvalidTag",
            'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system'
            ' tags. Remove "aws:" from your tag keys and try again.',
            TagKey=reserved[0],
        )
    return result


def _replaced_tags(world: World, bucket: Bucket, params: Params) -> dict[str, str]:
    """Return new tags as a mapping; ABAC must be off, and system tags must not change."""
    if bucket.abac == "Enabled":  # [S3 guide, buckets-tagging-enable-abac.md; message unverified]
        text = "ABAC is enabled for the bucket. Use TagResource or UntagResource instead."
        raise Refused("InvalidRequest", text)
    result = _checked_tags(params["Tagging"]["TagSet"])
    changed = sorted(_system_tags(result).items() ^ _system_tags(bucket.tags).items())
    if changed:
        text = "System tags cannot be added/updated by requester"
        raise Refused("InvalidTag", text, TagKey=changed[0][0])
    return result


def _checked_tags(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return tags as a mapping; raise Refused if S3 does not accept them.

    [localstack tests/aws/services/s3/test_s3_api]
    """
    if len(given) > 50:
        raise Refused("BadRequest", "Bucket tag count cannot be greater than 50")
    result: dict[str, str] = {}
    for key, value in ((tag["Key"], tag["Value"]) for tag in given):
        named = {"TagKey": key}
        if key in result:
            text = "Cannot provide multiple Tags with the same key"
            raise Refused("InvalidTag", text, **named)
        if not 0 < len(key) <= 128 or not _TAG.fullmatch(key):
            raise Refused("InvalidTag", "The TagKey you have provided is invalid", **named)
        if len(value) > 256 or not _TAG.fullmatch(value):
            text = "The TagValue you have provided is invalid"
            raise Refused("InvalidTag", text, **named, TagValue=value)
        result[key] = value
    return result


def _system_tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key.lower().startswith("aws:")}


get_bucket_tagging = _read(
    "tags",
    lambda tags: {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]},
    ("NoSuchTagSet", "The TagSet does not exist"),
)
put_bucket_tagging = _write("tags", _replaced_tags)
