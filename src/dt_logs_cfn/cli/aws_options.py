"""Add the profile and region of this command to the commands that we suggest."""

import argparse
import re
import shlex
from dataclasses import dataclass

# The commands that take both options; `aws configure` creates profiles.
_COMMAND = re.compile(
    r"`((?:aws (?!configure)|dt-logs-cfn (?:deploy|plan|remove|replay|status|verify)\b)[^`]*)`"
)


@dataclass(frozen=True)
class Here:
    """The values of `--profile` and `--region`; None if not given."""

    profile: str | None = None
    region: str | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Here":
        """Return the values given to a command; None for an option that it does not have."""
        given = (getattr(arguments, name, None) for name in ("profile", "region"))
        return cls(*(each if isinstance(each, str) else None for each in given))

    def text(self, text: str) -> str:
        """Return a text with these options added to each command in backticks that takes them."""
        return _COMMAND.sub(lambda found: f"`{self.command(found[1])}`", text)

    def command(self, command: str) -> str:
        """Return one of our commands, or one of the AWS CLI's, with these options added."""
        for option, value in (("--profile", self.profile), ("--region", self.region)):
            if value and option not in command.split():
                command = f"{command} {option} {shlex.quote(value)}"
        return command
