"""Draw the growth curve: seconds by number of load balancers, both on logarithmic scales."""

import math
from collections.abc import Callable, Mapping, Sequence

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 420, 70, 50, 50, 20
LINES = {
    "seconds": ("Create", "#0b6e4f"),
    "deleting": ("Delete", "#a23e48"),
    "unthrottled": ("Create, not throttled", "#2660a4"),
    "alone": ("Create, not throttled, one by one", "#8a8a8a"),
}


def draw(rows: Sequence[Mapping[str, float]], least: Callable[[float], float]) -> str:
    """Return an SVG of the measured rows and of the shortest times that ELB's limits allow."""
    highest = 10 ** math.ceil(math.log10(max(row[key] for row in rows for key in LINES)))
    widest = rows[-1]["count"]

    def x(count: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(count) / max(1.0, math.log10(widest))

    def y(seconds: float) -> float:
        share = (math.log10(max(seconds, 0.1)) + 1) / (math.log10(highest) + 1)
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20">Seconds of a run, by the number of load balancers</text>',
    ]
    for power in range(-1, round(math.log10(highest)) + 1):
        parts.append(_line([(LEFT, y(10**power)), (WIDTH - RIGHT, y(10**power))], "#dddddd"))
        parts.append(_text(LEFT - 8, y(10**power) + 4, f"{10**power:g} s", "end"))
    for row in rows:
        parts.append(_text(x(row["count"]), HEIGHT - BOTTOM + 20, f"{row['count']:,.0f}", "middle"))
    counts = [10 ** (step / 20) for step in range(round(20 * math.log10(widest)) + 1)]
    limit = [(x(count), y(least(count))) for count in counts if least(count) > 0.1]
    parts.append(_line(limit, "black", "4 3"))
    parts.append(_text(LEFT + 10, TOP + 8, "- - shortest by ELB's limits", "start"))
    for number, (key, (name, colour)) in enumerate(LINES.items(), 1):
        parts.append(_line([(x(row["count"]), y(row[key])) for row in rows], colour))
        parts.append(_text(LEFT + 10, TOP + 8 + 16 * number, name, "start", colour))
    return "\n".join([*parts, "</svg>\n"])


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    style = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{style}/>'


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
