"""STS, as far as a command line asks it: who am I."""

from dt_logs_rehearsal.account.world import Call, Operations, Response, World


def get_caller_identity(world: World, call: Call) -> Response:
    """Tell who calls; everybody may ask."""
    caller = call.caller
    session = caller.arn.partition(":assumed-role/")[2]
    user = f"AROAEMULATED:{session.rpartition('/')[2]}" if session else caller.account
    return {"UserId": user, "Account": caller.account, "Arn": caller.arn}


OPERATIONS: Operations = {"GetCallerIdentity": get_caller_identity}
