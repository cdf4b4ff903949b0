"""Write the script that completes the command line in a shell."""

import argparse
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

SHELLS = ("bash", "zsh", "fish", "tcsh")


def script(
    parser: argparse.ArgumentParser, commands: Mapping[str, argparse.ArgumentParser], shell: str
) -> str:
    """Return the script for a parser and those of its commands."""
    import shtab

    for command in commands.values():
        for each in command._actions:
            if each.type is Path:
                kind = shtab.DIRECTORY if each.metavar == "DIR" else shtab.FILE
                each.complete = kind  # type: ignore[attr-defined]  # as shtab asks for it
            if each.choices:
                each.choices = [c.value if isinstance(c, Enum) else c for c in each.choices]
    return shtab.complete(parser, shell)
