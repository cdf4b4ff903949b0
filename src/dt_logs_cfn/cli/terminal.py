"""All that speaks to the terminal: results, progress, questions, and texts made safe to show.

A result goes to stdout, and everything else to stderr. A text that anybody may have written drives
no terminal, and no address in it is shown whole, because its path or query may hold a token.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TextIO

from dt_logs_cfn import canonical
from dt_logs_cfn.cli.aws_options import Here
from dt_logs_cfn.errors import OperatingError

if TYPE_CHECKING:
    from botocore.client import BaseClient

EVERY = 5.0  # seconds between two lines of progress
_INDENT = 6  # columns, of what would otherwise begin in the right half of a terminal
_LONGEST = 1_500  # characters of somebody else's text in a line
# Whatever is coloured says in words, or by its sign, what its colour means.
_MEANING = re.compile(
    r"(?P<good>^ *\+ .*|^  ok\b|\b(?:as expected|restored|allowed|refused)\b"
    r"|\b(?:CREATE|UPDATE|DELETE)_COMPLETE\b)"
    r"|(?P<bad>^ *- .*|^  finding\b|\b(?:NOT AS EXPECTED|CHANGED|ALLOWED|DENIED|\w+_FAILED)\b)"
    r"|(?P<warm>^ *~ .*|^  (?:waiting|unknown)\b|\b\w*ROLLBACK\w*\b)"
)
_COLOURS = {"good": "32", "bad": "31", "warm": "33"}
_LAST_COLUMN = re.compile(r".*\S {2,}(?=\S)")
_HOST = re.compile(r"\[[0-9A-Fa-f:.]*\]|[A-Za-z0-9._-]*")


def result(as_json: bool, data: object, lines: Iterable[str]) -> None:
    """Print what a command found on stdout: as JSON for a program, else as lines for people."""
    if as_json:
        sys.stdout.write(canonical.dumps(data))
    elif columns(sys.stdout) is None:
        for line in lines:
            print(line)
    else:
        show((part for line in lines for part in line.split("\n")), sys.stdout)


def tell(line: str) -> None:
    """Print lines that are not the result on stderr, at once."""
    show(line.split("\n"), sys.stderr)


def show(lines: Iterable[str], stream: TextIO) -> None:
    """Print lines; to a terminal in its width with a hanging indent, and in colours."""
    for line in rendered(lines, columns(stream), coloured(stream)):
        print(line, file=stream, flush=True)


def rendered(lines: Iterable[str], width: int | None, colour: bool) -> Iterator[str]:
    """Yield lines as a terminal of a width shows them; whole if there is no width."""
    for line in lines:
        text = printable(line)
        whole = _MEANING.fullmatch(text) if colour else None  # also where it goes on below
        for part in wrapped(text, width):
            shown = _MEANING.sub(_painted, part) if colour else part
            yield _painted(whole, part) if whole else shown


def meaning(text: str) -> str:
    """Return what the first word or sign with a meaning means: good, bad or warm, or nothing."""
    found = _MEANING.search(text)
    return found.lastgroup or "" if found else ""


def _painted(found: re.Match[str], text: str = "") -> str:
    return f"\x1b[{_COLOURS[found.lastgroup or '']}m{text or found[0]}\x1b[0m"


def rewriter(stream: TextIO) -> Callable[[str], None]:
    """Return what puts a line of progress in place of the one before, where a terminal can."""
    width = columns(stream) if live(stream) else None

    def rewrite(line: str) -> None:
        if width is not None:
            print(f"\r\x1b[K{cut(line, width - 1)}", end="", file=stream, flush=True)

    return rewrite


def live(stream: TextIO | None) -> bool:
    """Tell whether a stream is a terminal that can rewrite a line."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def coloured(stream: TextIO | None) -> bool:
    """Tell whether to write colours to a stream: a terminal that has them, without NO_COLOR."""
    return live(stream) and not os.environ.get("NO_COLOR")


def columns(stream: TextIO) -> int | None:
    """Return how many columns a terminal has; None for a stream that is not a terminal."""
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or 80
    return None


def wrapped(line: str, width: int | None) -> list[str]:
    """Return a line as several that fit, with a hanging indent; whole where there is no width.

    What is in columns goes on in its last column, if that leaves half of the width.
    """
    if width is None or len(line) <= width:
        return [line]
    half = width // 2
    column = _LAST_COLUMN.match(line)
    if column and column.end() <= half:
        text, head, hang = line[column.end() :], column[0], column.end()
    else:
        text = line.lstrip()
        start = len(line) - len(text)
        head = " " * (start if start <= half else min(_INDENT, half))
        hang = len(head) + 4
    return textwrap.wrap(
        text, width, initial_indent=head, subsequent_indent=" " * hang, break_on_hyphens=False
    )


def printable(text: str, instead: str = " ") -> str:
    """Return a text with something instead of each character that is none to be seen."""
    return "".join(c if c.isprintable() else instead for c in text)


def shown_ascii(text: str, longest: int = 80) -> str:
    """Return an untrusted text as one line of ASCII, cut after so many characters."""
    escaped = "".join(
        c if " " <= c <= "~" or c == "\t" else c.encode("unicode_escape").decode()
        for c in text[:longest]
    )
    return escaped if len(text) <= longest else f"{escaped}..."


def one_line(text: str) -> str:
    """Return the same as one line, with single spaces between words."""
    return " ".join(printable(text).split())


def shown_value(value: str) -> str:
    """Return a value as it may be shown: an address in it ends with its host."""
    before, address, rest = value.partition("://")
    if not address:
        return value
    # Not urlsplit, which raises ValueError for some of what people write.
    place = re.split(r"[/?#\\\s]", rest, maxsplit=1)[0].rpartition("@")[2]
    host = _HOST.match(place)
    return f"{before}://{host[0] if host else ''}/…"


def shown_text(text: str) -> str:
    """Return a text with each address in it as it may be shown.

    A place in S3 is none: it is known to whoever may see it.
    """
    return re.sub(r"\S+", lambda found: _shown_word(found[0]), text)


def shown_line(text: str) -> str:
    """Return somebody else's text as one line, no longer than a reader takes in."""
    # Hidden first: a sign that steers a terminal becomes a space, and what is behind stays seen.
    return cut(one_line(shown_text(text)))


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return the beginning of a text that is longer than so many characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def changed(before: str, after: str, empty: str = "empty") -> str:
    """Return how a value changes, as it may be shown."""
    old, new = shown_value(before) or empty, shown_value(after) or empty
    same = " (the hidden part changes)" if old == new else ""
    return f"{old} -> {new}{same}"


def _shown_word(word: str) -> str:
    in_s3 = word.startswith("s3://") and word.count("://") == 1
    return word if in_s3 else shown_value(word)


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Yield what changes from old to new values, a line each."""
    for name, value in new.items():
        if name not in old:
            yield f"{name} = {shown_value(value) or 'empty'} (new)"
        elif old[name] != value:
            yield f"{name}: {changed(old[name], value)}"
    yield from (f"{name} goes" for name in old if name not in new)


def _ask(question: str) -> str | None:
    """Return an answer from the terminal; None where nobody can be asked."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    try:
        print(question, end=" ", file=sys.stderr, flush=True)
        if not sys.stderr.writable():  # nobody sees what is asked
            return None
        return sys.stdin.readline()
    except KeyboardInterrupt:
        print(file=sys.stderr)  # what is told next begins a line
        raise


@dataclass(frozen=True)
class Operator:
    """Clock and sleep in seconds; `tell` shows a line of progress; `ask` returns an answer.

    `wait` puts what is waited for in place of what it showed before, on a terminal that can do so.
    `here` is what the command was given that ours suggest.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = tell
    ask: Callable[[str], str | None] = _ask
    wait: Callable[[str], None] | None = None
    here: Here = field(default_factory=Here)

    def advise(self, text: str) -> None:
        """Tell words of our own; each command between backticks in them works as it stands."""
        self.tell(self.here.text(text))

    def confirm(self, question: str, yes: bool, unless: str = "nothing was changed") -> None:
        """Return if it is agreed to. Raises OperatingError if not, or if nobody is there to ask.

        `unless` is how things are where it is not: KeyboardInterrupt, too, comes with that told.
        """
        if yes:
            return
        try:
            answer = self.ask(f"{question} [y/N]")
        except KeyboardInterrupt:
            self.tell(f"It was not confirmed, so {unless}.")
            raise
        if answer is None:
            raise OperatingError(
                f"Nobody is there to confirm this, so {unless}.",
                "Run it in a terminal, or with --yes.",
            )
        if answer.strip().lower() not in ("y", "yes"):
            raise OperatingError(
                f"It was not confirmed, so {unless}.", "Run it again to be asked again."
            )


def at_terminal(here: Here) -> Operator:
    """Return the operator of this process."""
    if not live(sys.stderr):
        return Operator(here=here)
    rewrite = rewriter(sys.stderr)

    def above(line: str) -> None:
        rewrite("")
        tell(line)

    return Operator(tell=above, wait=rewrite, here=here)


def elapsed(seconds: float) -> str:
    """Return a span of time as 00:42 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def watch(
    clients: Iterable[BaseClient], clock: Callable[[], float], tell: Callable[[str], None]
) -> None:
    """Have it told every few seconds how many answers these clients have got, from any thread."""
    numbers, last = count(1), clock()

    def beat(**given: object) -> None:
        nonlocal last
        number, now = next(numbers), clock()
        if now - last >= EVERY:
            last = now
            tell(f"{number:,} answers of AWS's read so far")

    for each in clients:
        each.meta.events.register("after-call", beat)
