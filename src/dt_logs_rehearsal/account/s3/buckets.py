"""S3: buckets themselves."""

from datetime import datetime, timezone
from typing import Any

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.s3.names import check_name, regional
from dt_logs_rehearsal.account.s3.tags import checked_tags
from dt_logs_rehearsal.account.world import Bucket, Call, Operations, Response, World, page


def create_bucket(world: World, call: Call) -> Response:
    """Make a bucket with the defaults of 2023, or say whose it is already."""
    name, params = call.params["Bucket"], call.params
    check_name(call)
    _check_location(call)
    existing = world.buckets.get(name)
    location = {"Location": f"/{name}"}
    if existing is not None:
        return {**location, **_again(existing, call)}
    ownership = params.get("ObjectOwnership", "BucketOwnerEnforced")
    if params.get("ACL", "private") != "private" and ownership == "BucketOwnerEnforced":
        # [GH hashicorp/terraform-provider-aws#28353]
        raise Refused(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
    world.buckets[name] = Bucket(
        name=name,
        owner=call.caller.account,
        region=call.region,
        created=world.clock(),
        ownership=ownership,
        tags=checked_tags(params.get("CreateBucketConfiguration", {}).get("Tags", ()), {}),
        versioned=params.get("ObjectLockEnabledForBucket", False),
    )
    return location


def _check_location(call: Call) -> None:
    """Check LocationConstraint: us-east-1 must omit it, others must name themselves.

    [botocore, s3 CreateBucket; the enum has no us-east-1]
    """
    configuration = call.params.get("CreateBucketConfiguration", {})
    location = configuration.get("LocationConstraint")
    if location == "us-east-1" or location == "":
        raise Refused("InvalidLocationConstraint", "The specified location-constraint is not valid")
    if location != (None if call.region == "us-east-1" else call.region):
        raise Refused(
            "IllegalLocationConstraintException",
            f"The {location or 'unspecified'} location constraint is incompatible for the region"
            " specific endpoint this request was sent to.",
        )


def _again(existing: Bucket, call: Call) -> Response:
    """Answer for a bucket that exists [botocore, s3 BucketAlreadyOwnedByYou].

    us-east-1 says yes to its owner, but not in an account's regional namespace.
    """
    if existing.owner != call.caller.account:
        raise Refused(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all"
            " users of the system. Please select a different name and try again.",
            409,
            BucketName=existing.name,
        )
    if existing.region == call.region == "us-east-1" and not regional(existing.name):
        return {}
    raise Refused(
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
        409,
        BucketName=existing.name,
    )


def delete_bucket(world: World, call: Call) -> Response:
    """Delete a bucket that holds nothing, old versions and delete markers included."""
    bucket = world.buckets[call.params["Bucket"]]
    if bucket.objects:
        raise Refused(
            "BucketNotEmpty",
            "The bucket you tried to delete is not empty",
            409,
            BucketName=bucket.name,
        )
    del world.buckets[bucket.name]
    return {}


def head_bucket(world: World, call: Call) -> Response:
    """Say where the bucket is."""
    region = world.buckets[call.params["Bucket"]].region
    return {"BucketRegion": region, "AccessPointAlias": False}


def get_bucket_location(world: World, call: Call) -> Response:
    """Say where the bucket is, in the old way: us-east-1 is None."""
    region = world.buckets[call.params["Bucket"]].region
    return {"LocationConstraint": None if region == "us-east-1" else region}


def list_buckets(world: World, call: Call) -> Response:
    """List the caller's own buckets; regions only if paging or a filter is asked for."""
    params = call.params
    region = params.get("BucketRegion")
    if region not in (None, call.region):
        # [botocore, s3 ListBuckets: the region must be that of the endpoint]
        raise Refused("InvalidArgument", "Argument value " + region + " is not a valid AWS Region")
    found = sorted(
        (
            bucket
            for bucket in world.buckets.values()
            if bucket.owner == call.caller.account
            and bucket.name.startswith(params.get("Prefix", ""))
            and region in (None, bucket.region)
        ),
        key=lambda bucket: bucket.name,
    )
    shown, token = page(found, params.get("ContinuationToken"), params.get("MaxBuckets", 10_000))
    detailed = bool(params.keys() & {"MaxBuckets", "Prefix", "BucketRegion", "ContinuationToken"})
    return {
        "Buckets": [_entry(bucket, detailed) for bucket in shown],
        "Owner": {"ID": call.caller.account.rjust(64, "0")},
        **({"ContinuationToken": token} if token else {}),
        **({"Prefix": params["Prefix"]} if "Prefix" in params else {}),
    }


def _entry(bucket: Bucket, detailed: bool) -> dict[str, Any]:
    created = datetime.fromtimestamp(bucket.created, timezone.utc)
    entry = {"Name": bucket.name, "CreationDate": created}
    return {**entry, "BucketRegion": bucket.region} if detailed else entry


OPERATIONS: Operations = {
    "CreateBucket": create_bucket,
    "DeleteBucket": delete_bucket,
    "GetBucketLocation": get_bucket_location,
    "HeadBucket": head_bucket,
    "ListBuckets": list_buckets,
}
