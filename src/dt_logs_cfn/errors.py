"""Failures that we expect, each told in one line: what happened, and what to do.

    DtLogsError         exit code 3 on the command line
    ├── UsageError      options that do not go together; exit code 2
    ├── SettingsError   release.cfg, or the settings that a template records, do not hold
    ├── BuildError      the release cannot be made, since a template outgrew its limit, say
    ├── ReleaseError    a release on disk is missing or damaged, or cannot be written
    ├── VerifyError     what we were given to check is no template of ours, or is damaged
    ├── FetchError      a file cannot be had by its URL
    ├── PublishError    a release cannot be published as it is, or there
    ├── SigningError    a signature cannot be made, or the key is not one that customers know
    ├── OperatingError  a stack cannot be operated as asked, or came to rest otherwise
    ├── AwsError        AWS refused a call of ours, or could not be reached
    └── RehearsalError  a rehearsal cannot be run here

Whatever else is raised is a bug.
"""


class DtLogsError(Exception):
    """An expected failure: `what` happened, and the `fix`, a sentence each and without secrets.

    >>> try:
    ...     Vendor("aws", "1234")
    ... except DtLogsError as error:
    ...     print(error.what)
    vendor_account_id of partition aws is '1234', not an AWS account id of 12 digits.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what} {self.fix}"


class UsageError(DtLogsError):
    """What the command line says cannot be meant; argparse finds the rest of that."""


class SettingsError(DtLogsError):
    """Settings are missing a part, or a value is not what it should be."""


class BuildError(DtLogsError):
    """The model cannot be turned into a release."""


class ReleaseError(DtLogsError):
    """A release on disk cannot be read or written, or is not complete."""


class VerifyError(DtLogsError):
    """What was given to check cannot be read as a template of ours."""


class FetchError(DtLogsError):
    """A file cannot be had by its URL, or is not one that we take."""


class PublishError(DtLogsError):
    """A release cannot be published: what is there is another one, or something is missing."""


class SigningError(DtLogsError):
    """A signature cannot be made here, or nobody could verify it."""


class AwsError(DtLogsError):
    """AWS refused a call that we made with the caller's credentials, or could not be reached."""


class OperatingError(DtLogsError):
    """A stack cannot be operated as it was asked, or came to rest in another state."""


class RehearsalError(DtLogsError):
    """A rehearsal cannot be run: something that it needs is missing, or in the way."""
