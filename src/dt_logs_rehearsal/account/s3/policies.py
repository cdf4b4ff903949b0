"""S3: bucket policies."""

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.documents import is_public
from dt_logs_rehearsal.account.s3.policy_check import stored
from dt_logs_rehearsal.account.world import Call, Operations, Response, World


def get_bucket_policy(world: World, call: Call) -> Response:
    """Return the policy as a text; stale while it spreads."""
    return {"Policy": _text(world, call)}


def get_bucket_policy_status(world: World, call: Call) -> Response:
    """Say whether S3 takes the policy for public."""
    return {"PolicyStatus": {"IsPublic": is_public(_text(world, call))}}


def _text(world: World, call: Call) -> str:
    bucket = world.buckets[call.params["Bucket"]]
    text = world.seen(bucket.policy)
    if text is None:
        raise Refused(
            "NoSuchBucketPolicy",
            "The bucket policy does not exist",
            404,
            BucketName=bucket.name,
        )
    return text


def put_bucket_policy(world: World, call: Call) -> Response:
    """Replace the policy, if it is well formed and not blocked as public."""
    bucket = world.buckets[call.params["Bucket"]]
    text = stored(world, bucket, call.params["Policy"])
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
    """Remove the policy; repeatable."""
    world.change(world.buckets[call.params["Bucket"]].policy, None)
    return {}


OPERATIONS: Operations = {
    "DeleteBucketPolicy": delete_bucket_policy,
    "GetBucketPolicy": get_bucket_policy,
    "GetBucketPolicyStatus": get_bucket_policy_status,
    "PutBucketPolicy": put_bucket_policy,
}
