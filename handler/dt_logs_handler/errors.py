"""What can be expected to go wrong.

HandlerError             one sentence what happened, one what to do; becomes the answer's reason
├── InvalidRequest       a property is not what it should be
├── Refused              the account is in a state in which the request cannot be carried out
├── CallFailed           AWS refused a call for good, or for longer than we wait
├── OutOfTime            the time left is needed to undo and to answer
└── Overtaken            another event for the same stack has gone past this one

Anything else is a bug: it is logged with its traceback, and answered as one.
"""


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

    `bucket` names the one that it is about, where it is one bucket alone.
    """

    def __init__(self, what: str, fix: str, bucket: str | None = None) -> None:
        super().__init__(what, fix)
        self.bucket = bucket


class CallFailed(HandlerError):
    """AWS refused a call for good, or for longer than we wait; `code` is AWS's error code."""

    def __init__(self, what: str, fix: str, code: str) -> None:
        super().__init__(what, fix)
        self.code = code


class OutOfTime(HandlerError):
    """The time left is needed to undo and to answer."""


class Overtaken(HandlerError):
    """Another event for the same stack has gone past this one."""

    @classmethod
    def by_later_event(cls) -> "Overtaken":
        return cls("A later event for this stack has been handled.", "Nothing is to be done.")
