"""S3: objects, their versions and owners."""

import hashlib
import io
from dataclasses import replace

from botocore.response import StreamingBody

from dt_logs_rehearsal.account.delivery import announce
from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.access import authorise
from dt_logs_rehearsal.account.world import (
    Bucket,
    Call,
    Response,
    StoredObject,
    World,
    canonical_id,
    moment,
    page,
    present,
)


def store(
    world: World, bucket: Bucket, key: str, body: bytes, writer: str, *, acl: bool = True
) -> StoredObject:
    """Write an object as the account `writer`, and announce it.

    The bucket's object ownership decides who owns the object [S3 guide, about-object-ownership.md];
    with `acl`, the writer sends the ACL bucket-owner-full-control.
    """
    owned = bucket.ownership == "BucketOwnerEnforced" or (
        bucket.ownership == "BucketOwnerPreferred" and acl
    )
    stored = StoredObject(
        version=_new_version(world, bucket),
        body=body,
        owner=bucket.owner if owned else writer,
        modified=world.clock(),
        encryption=bucket.algorithm(),
        for_bucket_owner=acl,
    )
    _add(bucket, key, stored)
    announce(world, bucket, key, "ObjectCreated:Put", len(body), etag(stored))
    return stored


def _new_version(world: World, bucket: Bucket) -> str:
    return world.unique() if bucket.versioning == "Enabled" else "null"


def _add(bucket: Bucket, key: str, stored: StoredObject) -> None:
    """Add a version, replacing one with the same ID; only the ID `null` can occur again."""
    kept = [each for each in bucket.objects.get(key, []) if each.version != stored.version]
    bucket.objects[key] = [*kept, stored]


def etag(stored: StoredObject) -> str:
    """Return the ETag of an object, without quotes."""
    return hashlib.md5(stored.body or b"", usedforsecurity=False).hexdigest()


def readable(bucket: Bucket, stored: StoredObject | None, account: str) -> bool:
    """Return whether an account can read the object if the bucket policy allows that.

    A bucket policy covers only the bucket owner's own objects. A missing object counts as the
    bucket owner's. In this emulation, other accounts may not use the KMS key, and do not offer to
    pay as requesters [S3 guide, RequesterPaysBuckets.md].
    """
    if account == bucket.owner:
        return stored is None or stored.owner == bucket.owner or stored.for_bucket_owner
    if bucket.payer == "Requester":
        return False
    return stored is None or (stored.owner == bucket.owner and stored.encryption == "AES256")


def put_object(world: World, call: Call) -> Response:
    """Write an object, without an ACL."""
    bucket, writer = world.buckets[call.params["Bucket"]], call.caller.account
    body = call.params.get("Body", b"")
    data = body.encode() if isinstance(body, str) else body
    data = data if isinstance(data, bytes | bytearray) else data.read()
    own = writer == bucket.owner
    stored = store(world, bucket, call.params["Key"], bytes(data), writer, acl=own)
    version = stored.version if bucket.versioning == "Enabled" else ""
    answer = {"ETag": f'"{etag(stored)}"', "ServerSideEncryption": stored.encryption}
    return {**answer, **present(VersionId=version)}


def _found(world: World, call: Call) -> StoredObject:
    """Return a call's object; raise Refused if the object is missing or unreadable.

    For a missing object, a caller who may not list the bucket gets 403 instead of 404.
    """
    bucket = world.buckets[call.params["Bucket"]]
    stored = bucket.current(call.params["Key"])
    if stored is None:
        if not _may_list(world, call):
            raise Refused("AccessDenied", "Access Denied", 403)
        raise Refused("NoSuchKey", "The specified key does not exist.", 404, Key=call.params["Key"])
    if not readable(bucket, stored, call.caller.account):
        raise Refused("AccessDenied", "Access Denied", 403)
    return stored


def _may_list(world: World, call: Call) -> bool:
    listing = replace(call, operation="ListObjectsV2", params={"Bucket": call.params["Bucket"]})
    try:
        authorise(world, listing)
    except Refused:
        return False
    return True


def _state(stored: StoredObject) -> Response:
    return {"ETag": f'"{etag(stored)}"', "LastModified": moment(stored.modified)}


def get_object(world: World, call: Call) -> Response:
    """Read an object."""
    stored = _found(world, call)
    body = stored.body or b""
    about = {"ServerSideEncryption": stored.encryption, "Metadata": {}}
    content = {"ContentLength": len(body), "Body": StreamingBody(io.BytesIO(body), len(body))}
    return {**_state(stored), **about, **content}


def delete_object(world: World, call: Call) -> Response:
    """Delete a version or an object, or add a delete marker; a repeated call succeeds too.

    [localstack tests/aws/services/s3/test_s3_api]
    """
    bucket, key = world.buckets[call.params["Bucket"]], call.params["Key"]
    version = call.params.get("VersionId")
    if version is not None:
        found = bucket.objects.pop(key, [])
        left = [each for each in found if each.version != version]
        bucket.objects |= {key: left} if left else {}
        marker = any(each.version == version and each.body is None for each in found)
        return present(VersionId=version, DeleteMarker=marker)
    if not bucket.versioning:
        bucket.objects.pop(key, None)
        return {}
    stored = StoredObject(_new_version(world, bucket), None, bucket.owner, world.clock())
    _add(bucket, key, stored)
    return {"DeleteMarker": True, "VersionId": stored.version}


def list_objects_v2(world: World, call: Call) -> Response:
    """Return one page of keys; an empty page does not have `Contents`."""
    bucket, params = world.buckets[call.params["Bucket"]], call.params
    prefix, after = params.get("Prefix", ""), params.get("StartAfter", "")
    keys = [key for key in bucket.listing() if key.startswith(prefix) and key > after]
    size = min(params.get("MaxKeys", 1000), 1000)
    shown, token = page(keys, params.get("ContinuationToken"), size)
    owner = params.get("FetchOwner", False)
    return {
        "Name": bucket.name,
        "Prefix": prefix,
        "MaxKeys": size,
        "KeyCount": len(shown),
        "IsTruncated": token is not None,
        "EncodingType": "url",  # boto3 requests this encoding, and decodes the keys
        **present(
            Contents=[_listed(bucket, key, owner) for key in shown],
            NextContinuationToken=token,
        ),
    }


def _listed(bucket: Bucket, key: str, owner: bool) -> Response:
    stored = bucket.objects[key][-1]
    shown = {"ID": canonical_id(stored.owner)} if owner else None
    size = len(stored.body or b"")
    return {
        "Key": key,
        "Size": size,
        "StorageClass": "STANDARD",
        **_state(stored),
        **present(Owner=shown),
    }
