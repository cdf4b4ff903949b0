"""An argparse parser that suggests the nearest word and never repeats an unknown value."""

import argparse
import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any


class Parser(argparse.ArgumentParser):
    """A parser that keeps the line breaks of its epilog.

    Options are not abbreviated: argparse repeats the value of one that is ambiguous.
    """

    def __init__(self, **given: Any) -> None:
        keeping = argparse.RawDescriptionHelpFormatter
        super().__init__(**given, formatter_class=keeping, allow_abbrev=False)

    def parsed(
        self, argv: Sequence[str], into: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """Return the arguments. Raises SystemExit, also for words that nobody declared."""
        arguments, unknown = self.parse_known_args(argv, into)
        if unknown:
            names = [each.partition("=")[0] for each in unknown]
            known = [each for each in self._option_string_actions if each.startswith("--")]
            hint = suggestion((each for each in names if each.startswith("--")), known)
            self.error(f"unrecognized arguments: {_options(names)}{hint}")
        return arguments


def suggestion(words: Iterable[str], known: Iterable[str]) -> str:
    """Ask whether the nearest known words were meant; empty if none is near."""
    listed = list(known)
    near = [each for word in words for each in difflib.get_close_matches(word, listed, 1)]
    return f". Did you mean {' and '.join(dict.fromkeys(near))}?" if near else ""


def _options(names: Sequence[str]) -> str:
    """Return options that nobody declared, without their values: one may be a secret by a slip."""
    known = [each for each in names if re.fullmatch("--?[a-z][a-z-]{0,30}", each)]
    others = len(names) - len(known)
    words = [f"{others} more word{'' if others == 1 else 's'}"] if others else []
    return ", ".join([*known, *words])
