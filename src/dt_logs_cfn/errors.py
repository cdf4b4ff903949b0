"""Define the expected failures: each says in one line what happened and what to do.

The command line exits with 2 for a UsageError, and with 3 for the others. Any other exception is a
bug.
"""


class DtLogsError(Exception):
    """An expected failure: `what` says what happened, and `fix` says what to do, without secrets.

    >>> try:
    ...     Vendor("aws", "1234")
    ... except DtLogsError as error:
    ...     print(error.what)
    vendor_account_id of partition aws is '1234', not an AWS account ID of 12 digits.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what} {self.fix}"


class UsageError(DtLogsError):
    """The command line is wrong in a way that argparse does not report."""


class SettingsError(DtLogsError):
    """Settings in `release.cfg`, a template or an operator's file are invalid or cannot be read."""


class BuildError(DtLogsError):
    """The release cannot be built, for example because a template is too large."""


class ReleaseError(DtLogsError):
    """A release on disk is missing, damaged or not the expected one, or cannot be written."""


class VerifyError(DtLogsError):
    """A file or stack to check is not ours or is damaged, or a file cannot be read."""


class FetchError(DtLogsError):
    """A file cannot be fetched from its URL, or the URL is not allowed."""


class PublishError(DtLogsError):
    """A release cannot be published or withdrawn.

    For example, its version exists with other contents.
    """


class SigningError(DtLogsError):
    """A signature cannot be made or checked, or customers could not verify it."""


class AwsError(DtLogsError):
    """AWS refused a call, or the call could not be made."""


class OperatingError(DtLogsError):
    """An operation on a stack or stack set is not possible, or ended in an unexpected state."""


class RehearsalError(DtLogsError):
    """A rehearsal cannot run, for example because a package is not installed."""
