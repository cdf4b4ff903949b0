"""Values of options that have to match a pattern, for argparse."""

import argparse
import re
from collections.abc import Callable


def matching(pattern: str, rule: str) -> Callable[[str], str]:
    """Return an argparse type that takes what matches a pattern; `rule` says so in words."""

    def checked(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise argparse.ArgumentTypeError(f"{value!r} is not valid. Give {rule}.")
        return value

    return checked
