"""What IAM is asked: an action, on a resource, in a context."""

from dataclasses import dataclass, field

from dt_logs_rehearsal.account.iam.conditions import Context


@dataclass(frozen=True)
class Right:
    """An action that the caller must be allowed, on a resource, in a context."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)
