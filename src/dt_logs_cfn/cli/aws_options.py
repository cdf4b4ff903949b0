"""Commands that we tell somebody to run, with the profile and region that this one was given."""

import argparse
import re
import shlex
from dataclasses import dataclass

# Those of ours that speak to AWS; `aws configure` writes profiles, and may not find this one.
_COMMAND = re.compile(
    r"`((?:aws (?!configure)|dt-logs-cfn (?:deploy|plan|remove|replay|status|verify)\b)[^`]*)`"
)


@dataclass(frozen=True)
class Here:
    """What `--profile` and `--region` were; None where they were left out."""

    profile: str | None = None
    region: str | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Here":
        """Return what a command was given, if it takes them."""
        given = (getattr(arguments, name, None) for name in ("profile", "region"))
        return cls(*(each if isinstance(each, str) else None for each in given))

    def text(self, text: str) -> str:
        """Return a text in which every command between backticks works as it stands."""
        return _COMMAND.sub(lambda found: f"`{self.command(found[1])}`", text)

    def command(self, command: str) -> str:
        """Return a command of the AWS CLI, or of ours, that works as it stands."""
        for option, value in (("--profile", self.profile), ("--region", self.region)):
            if value and option not in command.split():
                command = f"{command} {option} {shlex.quote(value)}"
        return command
