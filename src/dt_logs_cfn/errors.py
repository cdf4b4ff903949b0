"""Define the expected failures: each says in one line what happened and what to do.

    DtLogsError         exit code 3 on the command line
    ├── UsageError      options that do not go together; exit code 2
    ├── SettingsError   release.cfg, or the settings that a template records, are invalid
    ├── BuildError      the release cannot be built, for example because a template is too large
    ├── ReleaseError    a release on disk is missing or damaged, or cannot be written
    ├── VerifyError     the file to verify is not one of our templates, or is damaged
    ├── FetchError      a file cannot be fetched from its URL
    ├── PublishError    a release cannot be published, or not there
    ├── SigningError    a signature cannot be made, or the key is not one that customers know
    ├── OperatingError  a stack operation is not possible, or ended in another state
    ├── AwsError        AWS refused a call, or could not be reached
    └── RehearsalError  a rehearsal cannot run here

Whatever else is raised is a bug.
"""


class DtLogsError(Exception):
    """An expected failure: `what` happened and the `fix`, one sentence each, without secrets.

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
    """The options contradict each other; argparse reports other wrong usage."""


class SettingsError(DtLogsError):
    """A setting is missing or has a wrong value."""


class BuildError(DtLogsError):
    """A release cannot be built from the model."""


class ReleaseError(DtLogsError):
    """A release on disk cannot be read or written, or is not complete."""


class VerifyError(DtLogsError):
    """The file to verify cannot be read as one of our templates."""


class FetchError(DtLogsError):
    """A file cannot be fetched from its URL, or its URL is not allowed."""


class PublishError(DtLogsError):
    """A release cannot be published: another one is there, or something is missing."""


class SigningError(DtLogsError):
    """A signature cannot be made here, or nobody could verify it."""


class AwsError(DtLogsError):
    """AWS refused a call with the caller's credentials, or could not be reached."""


class OperatingError(DtLogsError):
    """A stack operation is not possible, or the stack ended in another state."""


class RehearsalError(DtLogsError):
    """A rehearsal cannot run, because something is missing or in the way."""
