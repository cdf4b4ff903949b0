"""Draw how logs flow, wide for screens and narrow for phones, with a legend for the numbers."""

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class _Box:
    x: int
    y: int
    title: str
    note: str
    ours: bool = False


_SIZE = (190, 74)
_TITLE = "How a log file reaches Data Theorem"
_STEPS = (
    "Elastic Load Balancing writes a log file for each load balancer node every five minutes.",
    "S3 announces each new log file to the SNS topic.",
    "SNS delivers the announcement to Data Theorem's endpoint.",
    "Data Theorem's account gets the announced file from the bucket.",
)
_SETUP = "The Lambda function sets this up when the stack changes, or on a RefreshSchedule."


def drawings() -> str:
    """Return two SVG drawings, of which the page's style shows one, and a legend."""
    wide = (
        _Box(20, 50, "Load balancer", "logs every 5 minutes"),
        _Box(290, 50, "S3 bucket", "read-only policy"),
        _Box(560, 50, "SNS topic", "one per bucket", True),
        _Box(830, 50, "Data Theorem", "endpoint"),
        _Box(290, 200, "Lambda function", "runs on stack changes", True),
    )
    paths = (
        ("M210 87 H284", "1"),
        ("M480 87 H554", "2"),
        ("M750 87 H824", "3"),
        ("M385 200 V130", "sets up"),
        ("M925 124 V170 H520 L482 128", "4 s3:GetObject"),
    )
    labels = ((240, 78), (510, 78), (780, 78), (395, 168), (640, 192))
    tall = (
        _Box(85, 20, "Load balancer", "logs every 5 minutes"),
        _Box(85, 150, "S3 bucket", "read-only policy"),
        _Box(85, 280, "SNS topic", "one per bucket", True),
        _Box(85, 410, "Data Theorem", "endpoint"),
        _Box(85, 540, "Lambda function", "runs on stack changes", True),
    )
    down = (
        ("M180 94 V144", "1"),
        ("M180 224 V274", "2"),
        ("M180 354 V404", "3"),
        ("M275 447 H320 V187 H281", "4 get"),
        ("M85 577 H40 V187 H79", "sets up"),
    )
    marks = ((190, 124), (190, 254), (190, 384), (290, 500), (46, 500))
    steps = "".join(f"<li>{escape(each)}</li>" for each in _STEPS)
    return (
        _svg("wide", (1040, 290), wide, paths, labels, (6, 20, 790, 262))
        + _svg("narrow", (360, 630), tall, down, marks, None)
        + f'<ol class="legend">{steps}</ol><p>{_SETUP}</p>'
    )


def _svg(
    name: str,
    size: tuple[int, int],
    boxes: tuple[_Box, ...],
    paths: tuple[tuple[str, str], ...],
    labels: tuple[tuple[int, int], ...],
    area: tuple[int, int, int, int] | None,
) -> str:
    parts = [
        f'<svg class="flow {name}" viewBox="0 0 {size[0]} {size[1]}" role="img"'
        f' aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{_TITLE}</title>',
        f'<desc id="{name}-desc">{escape(" ".join((*_STEPS, _SETUP)))}</desc>',
        f'<defs><marker id="{name}-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><polygon class="tip" points="0,0 8,4 0,8"/></marker>'
        "</defs>",
    ]
    if area:
        x, y, width, height = area
        parts.append(f'<rect class="area" x="{x}" y="{y}" width="{width}" height="{height}"/>')
        parts.append(f'<text class="note" x="{x + 14}" y="{y + height - 14}">your account</text>')
    for (path, text), (x, y) in zip(paths, labels, strict=True):
        parts.append(f'<path d="{path}" marker-end="url(#{name}-tip)"/>')
        parts.append(f'<text class="note" x="{x}" y="{y}">{escape(text)}</text>')
    parts += [_box(each) for each in boxes]
    return "".join(parts) + "</svg>"


def _box(box: _Box) -> str:
    width, height = _SIZE
    kind = "box ours" if box.ours else "box"
    middle = box.x + width // 2
    return (
        f'<rect class="{kind}" x="{box.x}" y="{box.y}" width="{width}" height="{height}" rx="8"/>'
        f'<text x="{middle}" y="{box.y + 33}" text-anchor="middle">{escape(box.title)}</text>'
        f'<text class="note" x="{middle}" y="{box.y + 56}" text-anchor="middle">'
        f"{escape(box.note)}</text>"
    )
