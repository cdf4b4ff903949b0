"""Python sources without their documentation, for where each byte counts.

What runs is left as it was written, on the lines on which it was written, so that a traceback names
lines of the repository's own files. Lines are looked at, and not the syntax tree, which would take
a third of a build's time; that the handler's modules mean the same is tested.
"""

from collections.abc import Sequence

_QUOTES = '"""'


def undocumented(source: str) -> str:
    """Return a module's source with its docstrings and comment lines blank, line for line.

    A body that is nothing but a docstring becomes `...`. For sources in the usual format: triple
    double quotes, and no line of another text that begins with `#`.
    """
    lines = ["" if line.lstrip().startswith("#") else line for line in source.splitlines()]
    header = True
    number = 0
    while number < len(lines):
        line = lines[number]
        if header and line.lstrip().startswith(_QUOTES):
            number = _blank(lines, number)
        header = line.endswith(":") if line else header
        number += 1
    return "\n".join(lines) + "\n"


def _blank(lines: list[str], first: int) -> int:
    """Blank the docstring that begins on a line; return the line on which it ends."""
    indentation = _indentation(lines[first])
    last = first
    if lines[first].count(_QUOTES) == 1:
        last = next(each for each in range(first + 1, len(lines)) if _QUOTES in lines[each])
    lines[first : last + 1] = [""] * (last + 1 - first)
    if indentation and _indentation(_next(lines, last + 1)) < indentation:
        lines[first] = " " * indentation + "..."
    return last


def _next(lines: Sequence[str], number: int) -> str:
    return next((line for line in lines[number:] if line), "")


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
