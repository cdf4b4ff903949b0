"""The expected failures.

    HandlerError
    ├── InvalidRequest   a value in the event is not valid
    ├── Refused          the account's state does not allow the request
    ├── CallFailed       AWS refused a call, or did not answer in time
    ├── OutOfTime        the function's time is used up
    └── Overtaken        the run must stop, for example because a later event was handled
        ├── Contested    something else keeps undoing this run's changes
        └── Vanished     the stack was deleted during the run

Each failure says what happened and what to do. Any other exception that leaves a run is a bug.
"""

ALLOW = (
    "Allow it for the function's execution role (a permissions boundary, service control policy or"
    " bucket policy may deny it)"
)


class HandlerError(Exception):
    """An expected failure: `what` happened and how to `fix` it, in full sentences."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what} {fix}")
        self.what = what
        self.fix = fix


class InvalidRequest(HandlerError):
    """A value in the event is not valid."""


class Refused(HandlerError):
    """The account's state does not allow the request.

    `bucket`, if set, is the bucket that caused the failure.
    """

    def __init__(self, what: str, fix: str, bucket: str | None = None) -> None:
        super().__init__(what, fix)
        self.bucket = bucket


class CallFailed(HandlerError):
    """AWS refused a call, or did not answer in time."""


class OutOfTime(HandlerError):
    """The time for a piece of work is used up; the function still has time to answer."""


class Overtaken(HandlerError):
    """The run must stop, for example because a later event was handled."""

    @classmethod
    def by_later_event(cls) -> "Overtaken":
        return cls("A later event for this stack has been handled.", "No action is needed.")


class Contested(Overtaken):
    """Something else keeps undoing this run's changes."""


class Vanished(Overtaken):
    """This run's registrations were removed: the stack was probably deleted during the run."""
