"""Which names S3 gives to buckets."""

import re
from ipaddress import AddressValueError, IPv4Address

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.world import Call

# [S3 guide, bucketnamingrules.md and gpbucketnamespaces.html]
_FORM = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_REGIONAL = re.compile(r".+-(\d{12})-((?:[a-z]+-){2,3}\d)-an")


def check_name(call: Call) -> None:
    """Raise Refused unless the caller may give the bucket of CreateBucket this name."""
    name = call.params["Bucket"]
    if not _well_formed(name):
        raise Refused("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)
    _check_namespace(call, name)


def regional(name: str) -> bool:
    """Tell whether the name lies in an account's regional namespace."""
    return _REGIONAL.fullmatch(name) is not None


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


def _check_namespace(call: Call, name: str) -> None:
    """Check name and header against each other.

    Codes from third parties' reports of real calls (MissingNamespaceHeader,
    InvalidBucketNamespace) and moto 5.2.5 (InvalidNamespaceHeader); the first text is unverified.
    """
    account, region = call.caller.account, call.region
    wanted = call.params.get("BucketNamespace", "global") == "account-regional"
    found = _REGIONAL.fullmatch(name)
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
