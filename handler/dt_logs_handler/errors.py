"""What can go wrong in a way that is expected.

    HandlerError
    ├── InvalidRequest   a property is not what it should be
    ├── Refused          the account is in a state in which the request cannot be carried out
    ├── CallFailed       AWS refused a call, or did not answer for too long
    ├── OutOfTime        the function's time is used up
    └── Overtaken        another event for the same stack has gone past this one
        ├── Contested    something else keeps undoing what this one does
        └── Vanished     the stack was deleted meanwhile

Each says what happened and what to do. Everything else is a bug.
"""

ALLOW = (
    "Allow it for the function's execution role (a permissions boundary, service control policy or"
    " bucket policy may deny it)"
)


class HandlerError(Exception):
    """An expected failure: `what` happened and `fix`, what to do about it, a sentence each."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what} {fix}")
        self.what = what
        self.fix = fix


class InvalidRequest(HandlerError):
    """A property is not what it should be."""


class Refused(HandlerError):
    """The account is in a state in which the request cannot be carried out.

    `bucket` names the bucket that it is about, if it is one bucket alone.
    """

    def __init__(self, what: str, fix: str, bucket: str | None = None) -> None:
        super().__init__(what, fix)
        self.bucket = bucket


class CallFailed(HandlerError):
    """AWS refused a call, or did not answer for too long."""


class OutOfTime(HandlerError):
    """The function's time is used up, but for what the answer needs."""


class Overtaken(HandlerError):
    """Another event for the same stack has gone past this one."""

    @classmethod
    def by_later_event(cls) -> "Overtaken":
        return cls("A later event for this stack has been handled.", "No action is needed.")


class Contested(Overtaken):
    """Something else keeps undoing what this run does."""


class Vanished(Overtaken):
    """This run's registration was taken away: the stack was deleted meanwhile."""
