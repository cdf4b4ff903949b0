"""S3: buckets, and the names that they may have."""

import re
from ipaddress import AddressValueError, IPv4Address

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.models import service_model
from dt_logs_rehearsal.account.s3.settings import new_tags
from dt_logs_rehearsal.account.world import (
    Bucket,
    Call,
    Response,
    World,
    canonical_id,
    moment,
    page,
    present,
)

# [S3 guide, bucketnamingrules.md and gpbucketnamespaces.html]
_FORM = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_WITHOUT_NAMESPACE = ("me-central-1", "me-south-1")
_REGIONAL = re.compile(r".+-(\d{12})-((?:[a-z]+-){2,3}\d)-an")


def create_bucket(world: World, call: Call) -> Response:
    """Create a bucket with S3's defaults since 2023; `_again` answers if the name is taken."""
    name, params = call.params["Bucket"], call.params
    if not _well_formed(name):
        raise Refused("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)
    _check_namespace(call)
    _check_location(call)
    existing = world.buckets.get(name)
    location = {"Location": f"/{name}"}
    if existing is not None:
        return {**location, **_again(existing, call)}
    world.buckets[name] = Bucket(
        name=name,
        owner=call.caller.account,
        region=call.region,
        created=world.clock(),
        ownership=params.get("ObjectOwnership", "BucketOwnerEnforced"),
        tags=new_tags(params.get("CreateBucketConfiguration", {}).get("Tags", ())),
    )
    return location


def _well_formed(name: str) -> bool:
    if not _FORM.fullmatch(name) or ".." in name:
        return False
    if name.startswith(_RESERVED_STARTS) or name.endswith(_RESERVED_ENDS):
        return False
    try:
        IPv4Address(name)
    except AddressValueError:
        return True
    return False


def _check_namespace(call: Call) -> None:
    """Check that the name and the namespace header agree [S3 guide, gpbucketnamespaces.html].

    The error codes come from users' reports (MissingNamespaceHeader, InvalidBucketNamespace) and
    moto 5.2.5 (InvalidNamespaceHeader). The message for MissingNamespaceHeader, and the error in
    regions without such namespaces, are unverified.
    """
    account, region = call.caller.account, call.region
    wanted = call.params.get("BucketNamespace", "global") == "account-regional"
    found = _REGIONAL.fullmatch(call.params["Bucket"])
    if wanted and region in _WITHOUT_NAMESPACE:
        text = f"Account-regional namespaces are not available in {region}."
        raise Refused("InvalidBucketNamespace", text)
    if found and not wanted:
        raise Refused(
            "MissingNamespaceHeader",
            "The requested bucket name is in an account-regional namespace, but the"
            " x-amz-bucket-namespace header is missing.",
        )
    if wanted and not found:
        raise Refused(
            "InvalidNamespaceHeader",
            "The requested bucket name did not include the account-regional namespace suffix, but"
            " the provided x-amz-bucket-namespace header value is account-regional. Specify"
            f" -{account}-{region}-an as the bucket name suffix to create a bucket in your"
            " account-regional namespace, or remove the header.",
        )
    if found and found.groups() != (account, region):
        raise Refused(
            "InvalidBucketNamespace",
            "The requested bucket is an account-regional namespace bucket, but the requested"
            f" account or region does not match -{account}-{region}-an.",
        )


def _check_location(call: Call) -> None:
    """Check that LocationConstraint is absent in us-east-1 and is the call's region elsewhere.

    [localstack tests/aws/services/s3/test_s3; botocore's enum omits us-east-1]
    """
    location = call.params.get("CreateBucketConfiguration", {}).get("LocationConstraint")
    known = service_model("s3").shape_for("BucketLocationConstraint").metadata["enum"]
    if call.region == "us-east-1" and location is not None and location not in known:
        raise Refused(
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid",
            LocationConstraint=location,
        )
    if location != (None if call.region == "us-east-1" else call.region):
        raise Refused(
            "IllegalLocationConstraintException",
            f"The {location or 'unspecified'} location constraint is incompatible for the region"
            " specific endpoint this request was sent to.",
        )


def _again(existing: Bucket, call: Call) -> Response:
    """Answer CreateBucket for a bucket that exists [botocore, s3 BucketAlreadyOwnedByYou].

    In us-east-1, the owner's call succeeds, unless it has tags (even the same tags as the bucket)
    or the bucket is in a regional namespace [localstack tests/aws/services/s3/test_s3_api].
    """
    if existing.owner != call.caller.account:
        raise Refused(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all"
            " users of the system. Please select a different name and try again.",
            409,
            BucketName=existing.name,
        )
    east = existing.region == call.region == "us-east-1"
    tags = call.params.get("CreateBucketConfiguration", {}).get("Tags")
    if east and not tags and not _REGIONAL.fullmatch(existing.name):
        return {}
    raise Refused(
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
        409,
        BucketName=existing.name,
    )


def delete_bucket(world: World, call: Call) -> Response:
    """Delete a bucket, which must not hold objects, old versions or delete markers.

    [localstack tests/aws/services/s3/test_s3_api]
    """
    bucket = world.buckets[call.params["Bucket"]]
    if bucket.objects:
        versions = ". You must delete all versions in the bucket." if bucket.versioning else ""
        text = f"The bucket you tried to delete is not empty{versions}"
        raise Refused("BucketNotEmpty", text, 409, BucketName=bucket.name)
    del world.buckets[bucket.name]
    return {}


def get_bucket_location(world: World, call: Call) -> Response:
    """Return the bucket's location, which is None for us-east-1."""
    region = world.buckets[call.params["Bucket"]].region
    return {"LocationConstraint": None if region == "us-east-1" else region}


def list_buckets(world: World, call: Call) -> Response:
    """List the caller's own buckets; their regions are included only if the call has parameters."""
    params = call.params
    region = params.get("BucketRegion")
    if region not in (None, call.region):
        # [botocore, s3 ListBuckets: the region must be that of the endpoint]
        raise Refused("InvalidArgument", "Argument value " + region + " is not a valid AWS Region")
    found = [
        bucket
        for _, bucket in sorted(world.buckets.items())
        if bucket.owner == call.caller.account and region in (None, bucket.region)
    ]
    shown, token = page(found, params.get("ContinuationToken"), params.get("MaxBuckets", 10_000))
    entries = [{"Name": each.name, "CreationDate": moment(each.created)} for each in shown]
    if params:
        for entry, bucket in zip(entries, shown, strict=True):
            entry["BucketRegion"] = bucket.region
    owner = {"ID": canonical_id(call.caller.account)}
    return {"Buckets": entries, "Owner": owner, **present(ContinuationToken=token)}
