"""S3: a bucket's tags."""

import re
from collections.abc import Iterable, Mapping

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.world import Call, Operations, Response, World

# [S3 API, Tag; AWS's usual characters of tags]
_TEXT = re.compile(r"[\w\s+\-=.:/@]*")


def checked_tags(tags: Iterable[Mapping[str, str]], before: Mapping[str, str]) -> dict[str, str]:
    """Return a tag set that may replace the one before; raises Refused.

    System tags, `aws:...`, are AWS's: they may neither come nor go.
    """
    given = list(tags)
    result = {tag["Key"]: tag["Value"] for tag in given}
    if len(result) != len(given):
        raise Refused("InvalidTag", "Cannot provide multiple Tags with the same key")
    if len(given) > 50:
        raise Refused("BadRequest", "Bucket tag count cannot be greater than 50")
    for key, value in result.items():
        if not 0 < len(key) <= 128 or not _TEXT.fullmatch(key):
            raise Refused("InvalidTag", "The TagKey you have provided is invalid")
        if len(value) > 256 or not _TEXT.fullmatch(value):
            raise Refused("InvalidTag", "The TagValue you have provided is invalid")
    if _of_system(result) != _of_system(before):
        raise Refused("InvalidTag", "System tags cannot be added/updated by requester")
    return result


def _of_system(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key.lower().startswith("aws:")}


def get_bucket_tagging(world: World, call: Call) -> Response:
    """Return the tags; a bucket without one is an error."""
    tags = world.buckets[call.params["Bucket"]].tags
    if not tags:
        raise Refused("NoSuchTagSet", "The TagSet does not exist", 404)
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def put_bucket_tagging(world: World, call: Call) -> Response:
    """Replace all tags."""
    bucket = world.buckets[call.params["Bucket"]]
    bucket.tags = checked_tags(call.params["Tagging"]["TagSet"], bucket.tags)
    return {}


def delete_bucket_tagging(world: World, call: Call) -> Response:
    """Remove all tags but the system's."""
    bucket = world.buckets[call.params["Bucket"]]
    bucket.tags = _of_system(bucket.tags)
    return {}


OPERATIONS: Operations = {
    "DeleteBucketTagging": delete_bucket_tagging,
    "GetBucketTagging": get_bucket_tagging,
    "PutBucketTagging": put_bucket_tagging,
}
