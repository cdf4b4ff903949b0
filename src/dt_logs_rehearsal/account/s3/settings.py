"""S3: a bucket's encryption, ownership, lifecycle and Block Public Access."""

import re
from copy import deepcopy
from typing import Any

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.world import (
    BLOCK_ALL,
    SSE_S3,
    Bucket,
    Call,
    Operations,
    Response,
    World,
)

_OWNERSHIPS = ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")


def _bucket(world: World, call: Call) -> Bucket:
    return world.buckets[call.params["Bucket"]]


def malformed() -> Refused:
    """Return S3's refusal of a body that does not fit its schema."""
    return Refused(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )


def get_bucket_encryption(world: World, call: Call) -> Response:
    """Return the default encryption: since 2023 no bucket is without."""
    rules = deepcopy(_bucket(world, call).encryption)
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def put_bucket_encryption(world: World, call: Call) -> Response:
    """Replace the default encryption."""
    rules = deepcopy(call.params["ServerSideEncryptionConfiguration"]["Rules"])
    if len(rules) != 1:
        raise malformed()
    rule = {**SSE_S3[0], **rules[0]}
    default = rule["ApplyServerSideEncryptionByDefault"]
    if default["SSEAlgorithm"] not in ("AES256", "aws:kms", "aws:kms:dsse"):
        raise malformed()
    if default["SSEAlgorithm"] == "AES256" and "KMSMasterKeyID" in default:
        raise Refused(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms",
        )
    _bucket(world, call).encryption = [rule]
    return {}


def get_bucket_ownership_controls(world: World, call: Call) -> Response:
    """Return the object ownership; a bucket that never had one is an error."""
    ownership = _bucket(world, call).ownership
    if ownership is None:
        raise Refused(
            "OwnershipControlsNotFoundError", "The bucket ownership controls were not found", 404
        )
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]}}


def put_bucket_ownership_controls(world: World, call: Call) -> Response:
    """Replace the object ownership."""
    rules = call.params["OwnershipControls"]["Rules"]
    if len(rules) != 1 or rules[0]["ObjectOwnership"] not in _OWNERSHIPS:
        raise malformed()
    _bucket(world, call).ownership = rules[0]["ObjectOwnership"]
    return {}


def get_public_access_block(world: World, call: Call) -> Response:
    """Return the bucket's own settings; never set is an error."""
    return _block(_bucket(world, call).public_access_block)


def get_account_public_access_block(world: World, call: Call) -> Response:
    """Return the account's settings (S3 Control)."""
    if call.params["AccountId"] != call.caller.account:
        raise Refused("AccessDenied", "Access Denied", 403)
    return _block(world.account_blocks.get(call.caller.account))


def _block(settings: dict[str, bool] | None) -> Response:
    if settings is None:
        raise Refused(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
            404,
        )
    return {"PublicAccessBlockConfiguration": dict(settings)}


def put_public_access_block(world: World, call: Call) -> Response:
    """Replace the bucket's settings; one that is not named is off."""
    given = call.params["PublicAccessBlockConfiguration"]
    _bucket(world, call).public_access_block = {
        flag: bool(given.get(flag, False)) for flag in BLOCK_ALL
    }
    return {}


def get_bucket_lifecycle_configuration(world: World, call: Call) -> Response:
    """Return the rules; a bucket without one is an error."""
    rules = _bucket(world, call).lifecycle
    if rules is None:
        raise Refused(
            "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", 404
        )
    return {"Rules": deepcopy(rules)}


def put_bucket_lifecycle_configuration(world: World, call: Call) -> Response:
    """Replace all rules; one without an ID is given one."""
    rules = deepcopy(call.params.get("LifecycleConfiguration", {}).get("Rules", []))
    if not 0 < len(rules) <= 1000:
        raise malformed()
    for rule in rules:
        rule.setdefault("ID", world.unique())
        _check_rule(rule)
    if len({rule["ID"] for rule in rules}) != len(rules):
        raise Refused(
            "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule"
        )
    _bucket(world, call).lifecycle = rules
    return {}


def _check_rule(rule: dict[str, Any]) -> None:
    if rule["Status"] not in ("Enabled", "Disabled") or ("Filter" in rule) == ("Prefix" in rule):
        raise malformed()
    if len(rule["ID"]) > 255:
        raise Refused("InvalidArgument", "ID length should not exceed allowed limit of 255")
    days = rule.get("Expiration", {}).get("Days")
    if days is not None and days < 1:
        raise Refused("InvalidArgument", "'Days' for Expiration action must be a positive integer")
    if not any(re.match("Abort|Expiration|Noncurrent|Transition", key) for key in rule):
        raise Refused("InvalidRequest", "At least one action needs to be specified in a rule")


def delete_bucket_lifecycle(world: World, call: Call) -> Response:
    """Remove all rules; repeatable."""
    _bucket(world, call).lifecycle = None
    return {}


OPERATIONS: Operations = {
    "DeleteBucketLifecycle": delete_bucket_lifecycle,
    "GetBucketEncryption": get_bucket_encryption,
    "GetBucketLifecycleConfiguration": get_bucket_lifecycle_configuration,
    "GetBucketOwnershipControls": get_bucket_ownership_controls,
    "GetPublicAccessBlock": get_public_access_block,
    "PutBucketEncryption": put_bucket_encryption,
    "PutBucketLifecycleConfiguration": put_bucket_lifecycle_configuration,
    "PutBucketOwnershipControls": put_bucket_ownership_controls,
    "PutPublicAccessBlock": put_public_access_block,
}
CONTROL: Operations = {"GetPublicAccessBlock": get_account_public_access_block}
