"""What is asked of other services: S3 Control and STS, an operation or two of each."""

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.s3.settings import public_access_block
from dt_logs_rehearsal.account.world import Call, Response, World


def get_public_access_block(world: World, call: Call) -> Response:
    """Return the account's own Block Public Access settings (S3 Control)."""
    if call.params["AccountId"] != call.caller.account:
        raise Refused("AccessDenied", "Access Denied", 403)
    return public_access_block(world.account_blocks.get(call.caller.account))


def get_caller_identity(world: World, call: Call) -> Response:
    """Say who calls (STS); everybody may ask."""
    caller = call.caller
    session = caller.arn.partition(":assumed-role/")[2]
    user = f"AROAEMULATED:{session.rpartition('/')[2]}" if session else caller.account
    return {"UserId": user, "Account": caller.account, "Arn": caller.arn}
