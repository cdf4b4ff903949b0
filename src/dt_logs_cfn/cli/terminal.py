"""Print results and progress, ask questions, and make untrusted text safe to show.

Results go to stdout; progress, questions, warnings and advice go to stderr. Untrusted text cannot
control the terminal. URLs in it, except S3 locations, are cut after the host, because a path or
query may contain a token.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TextIO

from dt_logs_cfn import canonical
from dt_logs_cfn.errors import OperatingError

if TYPE_CHECKING:
    from botocore.client import BaseClient

EVERY = 5.0  # seconds between two lines of progress
_INDENT = 6  # columns; used for lines that would otherwise begin in the right half of a terminal
_LONGEST = 1_500  # the most characters of untrusted text in a line
# Each of these words and signs is shown in a colour that depends on its meaning.
_MEANING = re.compile(
    r"(?P<good>^ *\+ .*|^  ok\b|(?<!not )\b(?:as expected|restored|allowed|refused)\b"
    r"|\b(?:CREATE|UPDATE|DELETE)_COMPLETE\b)"
    r"|(?P<bad>^ *- .*|^  finding\b|\b(?:NOT AS EXPECTED|CHANGED|ALLOWED|DENIED|\w+_FAILED)\b)"
    r"|(?P<warm>^ *~ .*|^  (?:waiting|unknown)\b|\b\w*ROLLBACK\w*\b)"
)
_COLOURS = {"good": "32", "bad": "31", "warm": "33"}
_LAST_COLUMN = re.compile(r".*\w.* {2,}(?=\S)")
# Blanks, and a piece that is never broken: a word, perhaps with a sign before it, text in
# backticks, a value in single quotes, or JSON in its compact form.
_WORD = re.compile(
    r"""(\s*)((?:(?:[-+~!]|->)\ +)?
    (?:`[^`]*`|(?<![^\s(])'[^']*'(?!\w)|(?<=[{\[:,])"(?:[^"\\]|\\.)*"|\S)+)""",
    re.VERBOSE,
)
_SPACED = re.compile(r"`[^`\s]+ [^`]*`")  # a command with arguments
_HOST = re.compile(r"\[[0-9A-Fa-f:.]*\]|[A-Za-z0-9._-]*")
# The commands that take --profile and --region; not `aws configure`, which creates profiles.
_COMMAND = re.compile(
    r"`((?:aws (?!configure)|dt-logs-cfn (?:deploy|plan|remove|replay|status|verify)\b)[^`]*)`"
)


def result(as_json: bool, data: object, lines: Iterable[str]) -> None:
    """Print a command's result on stdout: as JSON for programs, or as lines for people."""
    if as_json:
        sys.stdout.write(canonical.dumps(data))
    elif columns(sys.stdout) is None:
        for line in lines:
            print(line)
    else:
        show((part for line in lines for part in line.split("\n")), sys.stdout)


def tell(line: str) -> None:
    """Print progress, a warning or advice on stderr, immediately."""
    show(line.split("\n"), sys.stderr)


def show(lines: Iterable[str], stream: TextIO) -> None:
    """Print lines; on a terminal, wrap them and, unless NO_COLOR is set, colour them."""
    colour = live(stream) and not os.environ.get("NO_COLOR")
    for line in rendered(lines, columns(stream), colour):
        print(line, file=stream, flush=True)


def rendered(lines: Iterable[str], width: int | None, colour: bool) -> Iterator[str]:
    """Yield lines as a terminal of this width shows them; a width of None means no limit."""
    for line in lines:
        text = printable(line)
        whole = _MEANING.fullmatch(text) if colour else None  # if it matches, colour every part
        for part in wrapped(text, width):
            shown = _MEANING.sub(_painted, part) if colour else part
            yield _painted(whole, part) if whole else shown


def meaning(text: str) -> str:
    """Return the meaning (good, bad or warm) of the first coloured word or sign, or ""."""
    found = _MEANING.search(text)
    return found.lastgroup or "" if found else ""


def _painted(found: re.Match[str], text: str = "") -> str:
    return f"\x1b[{_COLOURS[found.lastgroup or '']}m{text or found[0]}\x1b[0m"


def live(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can rewrite a line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO) -> int | None:
    """Return the number of columns of a terminal, or None if the stream is not a terminal."""
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or 80
    return None


def wrapped(line: str, width: int | None) -> list[str]:
    """Wrap a line to a width with a hanging indent; a width of None means no limit.

    If a line has columns, the last column wraps in place when it has at least half of the width.
    Otherwise, the last column starts on a new line. A word, a command in backticks, a value in
    single quotes and a JSON document are never broken, even if they are too wide, so that they can
    be copied. A line has at most one command with arguments.
    """
    if width is None or (len(line) <= width and len(_SPACED.findall(line)) < 2):
        return [line]
    half = width // 2
    start = len(line) - len(line.lstrip())
    column = _LAST_COLUMN.match(line)
    if column and column.end() <= half:
        return _filled(column[0], line[column.end() :], column.end(), width)
    start = start if start <= half else min(_INDENT, half)
    indent, hang = " " * start, start + 4
    if column is None:
        return _filled(indent, line, hang, width)
    head = _filled(indent, column[0], hang, width)
    return head + _filled(" " * hang, line[column.end() :], hang, width)


def _filled(begun: str, text: str, hang: int, width: int) -> list[str]:
    """Return lines filled with a text's words; the first line begins with `begun`.

    A word that is too long for the indent `hang` gets its own line, further to the left.
    """
    lines, line, alone = [], begun, False
    for blanks, word in _WORD.findall(text.strip()):
        empty = not line.strip()
        column = len(line) if empty else hang
        near = min(_INDENT, column)
        second = _SPACED.search(line) and _SPACED.search(word)
        full = alone or second or len(line) + len(blanks) + len(word) > width
        if not empty and (not full or (line == begun and near + len(word) > width)):
            line += blanks + word
            continue
        if not empty:
            lines.append(line.rstrip())
        alone = column + len(word) > width
        line = " " * (near if alone else column) + word
    return [*lines, line]


def printable(text: str, instead: str = " ") -> str:
    """Return a text with each unprintable character replaced."""
    return "".join(c if c.isprintable() else instead for c in text)


def shown_ascii(text: str, longest: int = 80) -> str:
    """Return an untrusted text as one line of ASCII, cut after `longest` characters."""
    escaped = "".join(
        c if " " <= c <= "~" or c == "\t" else c.encode("unicode_escape").decode()
        for c in text[:longest]
    )
    return escaped if len(text) <= longest else f"{escaped}..."


def one_line(text: str) -> str:
    """Return a text as one printable line, with single spaces between words."""
    return " ".join(printable(text).split())


def shown_value(value: str) -> str:
    """Return a value, cut after the host of a URL in it, because the rest may be a secret."""
    before, address, rest = value.partition("://")
    if not address:
        return value
    # This does not use urlsplit, which raises ValueError for some inputs.
    place = re.split(r"[/?#\\\s]", rest, maxsplit=1)[0].rpartition("@")[2]
    host = _HOST.match(place)
    return f"{before}://{host[0] if host else ''}/…"


def shown_text(text: str) -> str:
    """Return a text with each URL cut after the host; S3 locations are not cut."""

    def shown(found: re.Match[str]) -> str:
        in_s3 = found[0].startswith("s3://") and found[0].count("://") == 1
        return found[0] if in_s3 else shown_value(found[0])

    return re.sub(r"\S+", shown, text)


def shown_line(text: str) -> str:
    """Return untrusted text as one line that is safe to show and not too long."""
    # Cut URLs first: one_line replaces control characters with spaces, which end a URL.
    return cut(one_line(shown_text(text)))


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return a text, cut if it has more than `longest` characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def changed(before: str, after: str, empty: str = "empty") -> str:
    """Return a value's change as text that is safe to show."""
    old, new = shown_value(before) or empty, shown_value(after) or empty
    same = " (the hidden part changes)" if old == new else ""
    return f"{old} -> {new}{same}"


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each change from old to new values."""
    for name, value in new.items():
        if name not in old:
            yield f"{name} = {shown_value(value) or 'empty'} (new)"
        elif old[name] != value:
            yield f"{name}: {changed(old[name], value)}"
    yield from (f"{name} goes" for name in old if name not in new)


def _ask(question: str) -> str | None:
    """Ask at the terminal and return the answer, or None if nobody can be asked."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    try:
        print(question, end=" ", file=sys.stderr, flush=True)
        if not sys.stderr.writable():  # nobody can see the question
            return None
        return sys.stdin.readline()
    except KeyboardInterrupt:
        print(file=sys.stderr)  # so that the next output starts on a new line
        raise


@dataclass(frozen=True)
class Here:
    """The `--profile` and `--region` of this command, to add to the commands that we suggest."""

    profile: str | None = None
    region: str | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Here:
        """Return the options that were given, with None for an option that was not given."""
        given = (getattr(arguments, name, None) for name in ("profile", "region"))
        return cls(*(each if isinstance(each, str) else None for each in given))

    def text(self, text: str) -> str:
        """Return a text with these options added to each command in backticks that takes them."""
        return _COMMAND.sub(lambda found: f"`{self.command(found[1])}`", text)

    def command(self, command: str) -> str:
        """Return our command, or an AWS CLI command, with these options added if it lacks them."""
        for option, value in (("--profile", self.profile), ("--region", self.region)):
            if value and option not in command.split():
                command = f"{command} {option} {shlex.quote(value)}"
        return command


@dataclass(frozen=True)
class Operator:
    """The person or program that runs a command.

    `clock` and `sleep` use seconds. `tell` shows a line of progress. `ask` asks a question and
    returns the answer, or None if nobody can answer. `wait` replaces its previous line with the
    event that we wait for; it is None if the terminal cannot do that. `here` has the options for
    the commands that we suggest.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = tell
    ask: Callable[[str], str | None] = _ask
    wait: Callable[[str], None] | None = None
    here: Here = field(default_factory=Here)

    def advise(self, text: str) -> None:
        """Show our own advice, with this command's options added to commands in backticks."""
        self.tell(self.here.text(text))

    def confirm(self, question: str, yes: bool, unless: str = "nothing was changed") -> None:
        """Ask for confirmation unless `yes`; return only if the answer is yes.

        `unless` describes the state after any other answer or Ctrl-C. Raises OperatingError if the
        answer is not yes, or if nobody can be asked.
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
                f"Not a terminal, so I cannot ask for confirmation; {unless}.",
                "Run it in a terminal, or with --yes.",
            )
        if answer.strip().lower() not in ("y", "yes"):
            raise OperatingError(
                f"It was not confirmed, so {unless}.", "Run it again, and answer y."
            )


def at_terminal(here: Here) -> Operator:
    """Return the operator of this process; `wait` is set only if stderr can rewrite a line."""
    if not live(sys.stderr):
        return Operator(here=here)
    width = columns(sys.stderr) or 80

    def wait(line: str) -> None:
        print(f"\r\x1b[K{cut(line, width - 1)}", end="", file=sys.stderr, flush=True)

    def above(line: str) -> None:
        wait("")
        tell(line)

    return Operator(tell=above, wait=wait, here=here)


def elapsed(seconds: float) -> str:
    """Return a number of seconds as 00:42 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def watch(clients: Iterable[BaseClient], operator: Operator) -> None:
    """Count AWS's answers to these clients, in any thread, and show the number.

    It is shown when an answer arrives, but at most every few seconds.
    """
    numbers, last = count(1), operator.clock()

    def beat(**given: object) -> None:
        nonlocal last
        number, now = next(numbers), operator.clock()
        if now - last >= EVERY:
            last = now
            operator.tell(f"{number:,} answers from AWS so far")

    for each in clients:
        each.meta.events.register("after-call", beat)
