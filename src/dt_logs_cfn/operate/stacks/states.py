"""The meaning of a stack's status: whether it is at rest, and what an update needs first; pure.

[CloudFormation guide, "Stack status codes", "Stack failure options", "Continue rolling back"]
"""

REVIEW = "REVIEW_IN_PROGRESS"
GONE = "DELETE_COMPLETE"
# In these, a stack is as it was last requested.
SETTLED = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
)
# In these, a stack is as it was before a failed change, and may be updated.
_BACK = ("IMPORT_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_NEVER_MADE = (
    REVIEW,
    "CREATE_FAILED",
    "CREATE_IN_PROGRESS",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "ROLLBACK_IN_PROGRESS",
    GONE,
)


def at_rest(status: str) -> bool:
    """Return whether a stack in this status no longer changes by itself."""
    return not status.endswith("_IN_PROGRESS") or status == REVIEW


def made(status: str) -> bool:
    """Return whether a stack in this status was once created completely."""
    return status not in _NEVER_MADE


def before_update(status: str, name: str) -> str:
    """Return the instruction to follow before a stack can be deployed; empty if there is none."""
    match status:
        case _ if status in (*SETTLED, *_BACK, GONE) and at_rest(status):
            return ""
        case "REVIEW_IN_PROGRESS":
            return (
                "It only holds a change set that was not executed: execute it, or deploy, or"
                f" `dt-logs-cfn remove --stack {name}`."
            )
        case "UPDATE_ROLLBACK_FAILED":
            return (
                "Correct what its events name, then"
                f" `aws cloudformation continue-update-rollback --stack-name {name}`."
            )
        case "UPDATE_FAILED":
            return (
                "Its update is half done; roll it back:"
                f" `aws cloudformation rollback-stack --stack-name {name}`."
            )
        case _ if not at_rest(status):
            return "Wait until it is done."
    return f"Delete it: `dt-logs-cfn remove --stack {name}`; then deploy it again."
