"""S3: objects, versions and who owns them."""

import hashlib
import io
from datetime import datetime, timezone
from typing import Any

from botocore.response import StreamingBody

from dt_logs_rehearsal.account.delivery import announce
from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.policy import Decision, Principal, Request, evaluate
from dt_logs_rehearsal.account.world import (
    Bucket,
    Call,
    Operations,
    Response,
    StoredObject,
    World,
    page,
)


def store(
    world: World, bucket: Bucket, key: str, body: bytes, writer: str, *, acl: bool = True
) -> StoredObject:
    """Write an object and announce it; `writer` is the account that writes.

    The bucket owner owns it unless the bucket's object ownership says otherwise
    [S3 guide, about-object-ownership.md]; `acl` is bucket-owner-full-control.
    """
    owned = bucket.ownership == "BucketOwnerEnforced" or (
        bucket.ownership == "BucketOwnerPreferred" and acl
    )
    stored = StoredObject(
        version=world.unique() if bucket.versioned else "null",
        body=body,
        owner=bucket.owner if owned else writer,
        modified=world.clock(),
        encryption=bucket.algorithm(),
        for_bucket_owner=acl,
    )
    before = bucket.objects.get(key, []) if bucket.versioned else []
    bucket.objects[key] = [*before, stored]
    announce(world, bucket, key, "ObjectCreated:Put", len(body), etag(stored))
    return stored


def etag(stored: StoredObject) -> str:
    """Return the ETag of an object, without quotes."""
    return hashlib.md5(stored.body or b"", usedforsecurity=False).hexdigest()


def readable(bucket: Bucket, stored: StoredObject | None, account: str) -> bool:
    """Tell whether ownership and encryption let the account read what the policy grants.

    A bucket policy speaks of the bucket owner's own objects alone; what KMS encrypted needs the
    key, which no other account has here.
    """
    if stored is None or account == bucket.owner:
        return stored is None or stored.owner == bucket.owner or stored.for_bucket_owner
    return stored.owner == bucket.owner and stored.encryption == "AES256"


def put_object(world: World, call: Call) -> Response:
    """Write an object, if its conditions hold."""
    bucket, params = world.buckets[call.params["Bucket"]], call.params
    key = params["Key"]
    current = bucket.current(key)
    if (params.get("IfNoneMatch") == "*" and current) or (
        "IfMatch" in params and (not current or params["IfMatch"].strip('"') != etag(current))
    ):
        raise Refused(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            412,
        )
    acl = params.get("ACL")
    if bucket.ownership == "BucketOwnerEnforced" and acl not in (None, "bucket-owner-full-control"):
        raise Refused("AccessControlListNotSupported", "The bucket does not allow ACLs")
    body = params.get("Body", b"")
    data = body.encode() if isinstance(body, str) else body
    data = data if isinstance(data, bytes | bytearray) else data.read()
    owner_reads = acl == "bucket-owner-full-control" or call.caller.account == bucket.owner
    stored = store(world, bucket, key, bytes(data), call.caller.account, acl=owner_reads)
    return {"ETag": f'"{etag(stored)}"', "ServerSideEncryption": stored.encryption}


def _found(world: World, call: Call) -> StoredObject:
    """Find an object; whoever may not list is not told that there is none."""
    bucket = world.buckets[call.params["Bucket"]]
    stored = bucket.current(call.params["Key"])
    if stored is None:
        if not _may_list(world, bucket, call):
            raise Refused("AccessDenied", "Access Denied", 403)
        raise Refused("NoSuchKey", "The specified key does not exist.", 404, Key=call.params["Key"])
    if not readable(bucket, stored, call.caller.account):
        raise Refused("AccessDenied", "Access Denied", 403)
    return stored


def _may_list(world: World, bucket: Bucket, call: Call) -> bool:
    caller = call.caller
    arn = f"arn:{world.partition}:s3:::{bucket.name}"
    principal = Principal(caller.account, caller.arn)
    request = Request(principal, "s3:ListBucket", arn, {"aws:resourceaccount": bucket.owner})
    by_bucket = evaluate([bucket.policy.latest] if bucket.policy.latest else [], request)
    own = caller.policies
    by_identity = Decision.ALLOW if own is None else evaluate(own, request)
    if caller.account == bucket.owner:
        return by_identity is Decision.ALLOW or by_bucket is Decision.ALLOW
    return by_identity is by_bucket is Decision.ALLOW


def head_object(world: World, call: Call) -> Response:
    """Describe an object."""
    stored = _found(world, call)
    return {
        "ContentLength": len(stored.body or b""),
        "ETag": f'"{etag(stored)}"',
        "LastModified": datetime.fromtimestamp(stored.modified, timezone.utc),
        "ServerSideEncryption": stored.encryption,
        "Metadata": {},
    }


def get_object(world: World, call: Call) -> Response:
    """Read an object."""
    body = _found(world, call).body or b""
    return {**head_object(world, call), "Body": StreamingBody(io.BytesIO(body), len(body))}


def delete_object(world: World, call: Call) -> Response:
    """Delete an object, or hide it behind a delete marker; repeatable."""
    bucket, key = world.buckets[call.params["Bucket"]], call.params["Key"]
    versions = bucket.objects.get(key, [])
    version = call.params.get("VersionId")
    if version is not None:
        kept = [each for each in versions if each.version != version]
    elif bucket.versioned:
        kept = [*versions, StoredObject(world.unique(), None, bucket.owner, world.clock())]
    else:
        kept = []
    bucket.objects.pop(key, None)
    if kept:
        bucket.objects[key] = kept
    return {"DeleteMarker": True} if bucket.versioned and version is None else {}


def list_objects_v2(world: World, call: Call) -> Response:
    """List keys, a page at a time; `Contents` is absent where there is none."""
    bucket, params = world.buckets[call.params["Bucket"]], call.params
    prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter")
    entries: dict[str, Any] = {}
    for key in bucket.listing():
        if key.startswith(prefix) and key > params.get("StartAfter", ""):
            rest = key[len(prefix) :]
            folder = delimiter is not None and delimiter in rest
            shown = f"{prefix}{rest.split(delimiter)[0]}{delimiter}" if folder else key
            entries[shown] = folder
    size = min(params.get("MaxKeys", 1000), 1000)
    shown_keys, token = page(sorted(entries), params.get("ContinuationToken"), size)
    contents = [_listed(bucket, key) for key in shown_keys if not entries[key]]
    folders = [{"Prefix": key} for key in shown_keys if entries[key]]
    return {
        "Name": bucket.name,
        "Prefix": prefix,
        "MaxKeys": size,
        "KeyCount": len(shown_keys),
        "IsTruncated": token is not None,
        "EncodingType": "url",  # boto3 asks for it, and decodes
        **({"Contents": contents} if contents else {}),
        **({"CommonPrefixes": folders} if folders else {}),
        **({"NextContinuationToken": token} if token else {}),
        **({"Delimiter": delimiter} if delimiter else {}),
    }


def _listed(bucket: Bucket, key: str) -> dict[str, Any]:
    stored = bucket.objects[key][-1]
    return {
        "Key": key,
        "Size": len(stored.body or b""),
        "ETag": f'"{etag(stored)}"',
        "LastModified": datetime.fromtimestamp(stored.modified, timezone.utc),
        "StorageClass": "STANDARD",
    }


OPERATIONS: Operations = {
    "DeleteObject": delete_object,
    "GetObject": get_object,
    "HeadObject": head_object,
    "ListObjectsV2": list_objects_v2,
    "PutObject": put_object,
}
