"""Extend argparse with suggestions, checked values and shell completion.

The error for unexpected arguments names only options, because another word may be a secret.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

from dt_logs_cfn.cli.terminal import tell

SHELLS = ("bash", "zsh", "fish", "tcsh")
REGION = "[a-z]{2,4}(?:-[a-z]+)+-[0-9]+", "a region like eu-west-1"  # arguments of `matching`
# The options that users are most likely to forget before a value.
_USUAL = ("--stack", "--load-balancer", "--parameter")


class Parser(argparse.ArgumentParser):
    """A parser that suggests known options for unknown ones, and keeps its epilog's line breaks.

    Options cannot be abbreviated, because the error for an ambiguous abbreviation would repeat the
    option's value.
    """

    def __init__(self, **given: Any) -> None:
        keeping = argparse.RawDescriptionHelpFormatter
        super().__init__(**given, formatter_class=keeping, allow_abbrev=False)

    def parsed(
        self, argv: Sequence[str], into: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Parse and return the arguments. Raises SystemExit for wrong usage or unknown words."""
        arguments, unknown = self.parse_known_args(argv, into)
        if unknown:
            names = [each.partition("=")[0] for each in unknown]
            known = [each for each in self._option_string_actions if each.startswith("--")]
            options = [each for each in names if each.startswith("--")]
            hint = suggestion(options, known) if options else self._usual()
            self.error(f"unrecognized arguments: {_options(names)}{hint}")
        return arguments

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, wrapped on a terminal, and exit with 2."""
        self.print_usage(sys.stderr)
        tell(f"{self.prog}: error: {message}")
        raise SystemExit(2)

    def _usual(self) -> str:
        """Return a hint that a value needs an option, with examples, or an empty string."""
        known = self._option_string_actions
        forms = [f"{each} {known[each].metavar}" for each in _USUAL if each in known]
        return f". Each needs an option, such as {', '.join(forms)}" if forms else ""


def suggestion(words: Iterable[str], known: Iterable[str]) -> str:
    """Return a question that suggests the nearest known words, or an empty string."""
    from difflib import get_close_matches  # imported only here: every command loads this file

    listed = list(known)
    near = [each for word in words for each in get_close_matches(word, listed, 1)]
    return f". Did you mean {' and '.join(dict.fromkeys(near))}?" if near else ""


def matching(pattern: str, rule: str) -> Callable[[str], str]:
    """Return an argparse type for values that match a pattern; `rule` describes them in words."""

    def checked(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise argparse.ArgumentTypeError(f"{value!r} is not valid. Give {rule}.")
        return value

    return checked


def completion_script(
    parser: argparse.ArgumentParser, commands: Mapping[str, argparse.ArgumentParser], shell: str
) -> str:
    """Return a script with which `shell`, one of SHELLS, completes a program and its commands.

    This also changes the commands' parsers.
    """
    import shtab

    for command in commands.values():
        for each in command._actions:
            if each.type is Path:
                kind = shtab.DIRECTORY if each.metavar == "DIR" else shtab.FILE
                each.complete = kind  # type: ignore[attr-defined]  # shtab reads this attribute
            if each.choices:
                each.choices = [c.value if isinstance(c, Enum) else c for c in each.choices]
    return shtab.complete(parser, shell)


def _options(names: Sequence[str]) -> str:
    """List unknown options without their values, and say how many other words there are."""
    known = [each for each in names if re.fullmatch("--?[a-z][a-z-]{0,30}", each)]
    others = len(names) - len(known)
    words = [f"{others} more word{'' if others == 1 else 's'}"] if others else []
    return ", ".join([*known, *words])
