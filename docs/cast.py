"""Draw docs/cast.svg for README.md: a terminal that replays sessions from operations.md.

    python docs/cast.py

cog fills operations.md with the commands' real output, so this script needs neither an account nor
a clock. operations.md omits the times of events, so the drawing shows events two seconds apart. The
drawing does not contain a script. If the reader prefers reduced motion, it shows the last screen.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count, groupby
from pathlib import Path

from dt_logs_cfn.cli.terminal import rendered

DOCS = Path(__file__).resolve().parent
PLAYED = ("plan", "deploy", "status")
COLUMNS, ROWS = 100, 30
_WIDTH, _HEIGHT, _MARGIN = 8.4, 19, 16  # pixels: character width, line height, margin
_TYPED, _LINE, _READ = 1.2, 0.13, 4.0  # seconds to wait after a command, a line, a session
_TITLE = "dt-logs-cfn plan, deploy and status in a terminal, run in an emulated AWS account"
_COLOURED = re.compile("\x1b\\[(\\d+)m(.*?)\x1b\\[0m|([^\x1b]+)")
_COLOURS = {"31": "bad", "32": "good", "33": "warm"}
_STYLE = """
svg { color-scheme: light dark; }
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
text { white-space: pre; }
.paper { fill: #f6f8fa; }
.edge { fill: none; stroke: #d0d7de; }
.good { fill: #116329; }
.bad { fill: #a40e26; }
.warm { fill: #7d4e00; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.paper { fill: #0d1117; }
.edge { stroke: #30363d; }
.good { fill: #56d364; }
.bad { fill: #ff7b72; }
.warm { fill: #e3b341; }
}
"""
_STILL = "@media (prefers-reduced-motion: reduce) { .roll, .curtain { animation: none; } }\n"


@dataclass(frozen=True)
class Screen:
    """A command and its output, as lines of a terminal."""

    typed: Sequence[str]
    printed: Sequence[str]


@dataclass(frozen=True)
class Frame:
    """From `at` seconds on, the drawing shows the lines from `top` to the one before `end`."""

    at: float
    top: int
    end: int


def cast(document: str) -> str:
    """Return the drawing of a document's sessions of PLAYED; the same sessions give the same bytes.

    Raises RuntimeError if a session is missing.
    """
    screens = [_screen(document, command) for command in PLAYED]
    frames, seconds = _frames(screens)
    width, height, last = COLUMNS * _WIDTH, ROWS * _HEIGHT, frames[-1]
    lines = (line for each in screens for line in (*each.typed, *each.printed))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title"'
        f' viewBox="0 0 {width + 2 * _MARGIN:g} {height + 2 * _MARGIN}">\n'
        f'<title id="title">{_TITLE}</title>\n<style>{_STYLE}'
        f"{_animation('roll', seconds, frames, lambda each: -each.top)}"
        f"{_animation('curtain', seconds, frames, lambda each: each.end)}{_STILL}</style>\n"
        '<rect class="paper" width="100%" height="100%" rx="8"/>\n'
        f'<svg x="{_MARGIN}" y="{_MARGIN}" width="{width:g}" height="{height}">\n'
        f'<g class="roll" xml:space="preserve" transform="translate(0 {-last.top * _HEIGHT})">\n'
        f"{''.join(map(_text, count(), lines))}"
        f'<rect class="paper curtain" width="100%" height="{height}"'
        f' transform="translate(0 {last.end * _HEIGHT})"/>\n</g>\n</svg>\n'
        '<rect class="edge" x="0.5" y="0.5" width="99.9%" height="99.8%" rx="8"/>\n</svg>\n'
    )


def _screen(document: str, command: str) -> Screen:
    """Return the first session of a command in a document. Raises RuntimeError without one."""
    found = re.search(rf"^```console\n(\$ dt-logs-cfn {command}\b.*?)^```$", document, re.M | re.S)
    if found is None:
        raise RuntimeError(f"operations.md has no session of {command}")
    first, *printed = found[1].splitlines()
    typed = first.replace(" --", " \\\n  --").splitlines()
    seconds = count(step=2)
    told = (re.sub("^…    ", lambda _: f"00:{next(seconds):02}", line) for line in printed)
    return Screen(
        [line[at : at + COLUMNS] for line in typed for at in range(0, len(line), COLUMNS)],
        [row for line in rendered(told, COLUMNS, colour=True) for row in _rows(line)],
    )


def _rows(line: str) -> Iterator[str]:
    """Yield the rows that a line fills in the terminal; a long line fills several."""
    cells = [
        (c, each) for c, coloured, plain in _COLOURED.findall(line) for each in coloured or plain
    ]
    for at in range(0, len(cells) or 1, COLUMNS):
        runs = groupby(cells[at : at + COLUMNS], lambda cell: cell[0])
        texts = ((colour, "".join(each for _, each in run)) for colour, run in runs)
        yield "".join(f"\x1b[{colour}m{text}\x1b[0m" if colour else text for colour, text in texts)


def _frames(screens: Iterable[Screen]) -> tuple[list[Frame], float]:
    """Return a frame for each command and each printed line, and the total time.

    Each command starts on a new screen.
    """
    frames, at, top = list[Frame](), 0.0, 0
    for each in screens:
        shown, end = top + len(each.typed), top + len(each.typed) + len(each.printed)
        for line in range(shown, end + 1):
            frames.append(Frame(at, max(top, line - ROWS), line))
            at += _LINE if line > shown else _TYPED
        at, top = at + _READ, end
    return frames, at


def _animation(
    name: str, seconds: float, frames: Sequence[Frame], lines: Callable[[Frame], int]
) -> str:
    """Return the CSS that moves a part by whole lines, as each frame requires."""
    moves = (next(group) for _, group in groupby(frames, lines))
    stops = "".join(
        f"{100 * each.at / seconds:.2f}% {{ transform: translateY({lines(each) * _HEIGHT}px); }}\n"
        for each in moves
    )
    return (
        f".{name} {{ animation: {name} {seconds:.1f}s step-end infinite; }}\n"
        f"@keyframes {name} {{\n{stops}}}\n"
    )


def _text(number: int, line: str) -> str:
    parts = list(_parts(line))
    columns = sum(len(text) for _, text in parts)
    if not columns:
        return ""
    spans = "".join(
        f'<tspan class="{kind}">{escape(text)}</tspan>' if kind else escape(text)
        for kind, text in parts
    )
    return (
        f'<text y="{number * _HEIGHT + 14}" textLength="{columns * _WIDTH:g}"'
        f' lengthAdjust="spacingAndGlyphs">{spans}</text>\n'
    )


def _parts(line: str) -> Iterator[tuple[str, str]]:
    for colour, coloured, plain in _COLOURED.findall(line):
        yield (_COLOURS[colour], coloured) if colour else ("", plain)


if __name__ == "__main__":
    text = (DOCS / "operations.md").read_text("utf-8")
    (DOCS / "cast.svg").write_text(cast(text), "utf-8")
