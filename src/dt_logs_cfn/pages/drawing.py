"""Draw how logs flow, wide for screens and narrow for phones, with a legend for the numbers."""

from collections.abc import Sequence
from html import escape

_SIZE = (190, 74)
_TITLE = "How a log file reaches Data Theorem"
_STEPS = (
    "Elastic Load Balancing writes a log file for each load balancer node every five minutes.",
    "S3 announces each new log file to the SNS topic.",
    "SNS delivers the announcement to Data Theorem's endpoint.",
    "Data Theorem's account gets the announced file from the bucket.",
)
_SETUP = "The Lambda function sets this up when the stack changes, or on a RefreshSchedule."
_BOXES = (
    ("box", "Load balancer", "logs every 5 minutes"),
    ("box", "S3 bucket", "read-only policy"),
    ("box ours", "SNS topic", "one per bucket"),
    ("box", "Data Theorem", "endpoint"),
    ("box ours", "Lambda function", "runs on stack changes"),
)

_Place = tuple[int, int]


def drawings() -> str:
    """Return two SVG drawings, of which the page's style shows one, and a legend."""
    across = (
        ("M210 87 H284", (240, 78), "1"),
        ("M480 87 H554", (510, 78), "2"),
        ("M750 87 H824", (780, 78), "3"),
        ("M385 200 V130", (395, 168), "sets up"),
        ("M925 124 V170 H520 L482 128", (640, 192), "4 s3:GetObject"),
    )
    down = (
        ("M180 94 V144", (190, 124), "1"),
        ("M180 224 V274", (190, 254), "2"),
        ("M180 354 V404", (190, 384), "3"),
        ("M275 447 H320 V187 H281", (290, 500), "4 get"),
        ("M85 577 H40 V187 H79", (46, 500), "sets up"),
    )
    account = (
        '<rect class="area" x="6" y="20" width="790" height="262"/>'
        '<text class="note" x="20" y="268">your account</text>'
    )
    wide = ((20, 50), (290, 50), (560, 50), (830, 50), (290, 200))
    tall = ((85, 20), (85, 150), (85, 280), (85, 410), (85, 540))
    steps = "".join(f"<li>{escape(each)}</li>" for each in _STEPS)
    return (
        _svg("wide", (1040, 290), account, across, wide)
        + _svg("narrow", (360, 630), "", down, tall)
        + f'<ol class="legend">{steps}</ol><p>{_SETUP}</p>'
    )


def _svg(
    name: str,
    size: _Place,
    background: str,
    paths: Sequence[tuple[str, _Place, str]],
    boxes: Sequence[_Place],
) -> str:
    """Return a drawing: paths with a tip, a place for their text, and it; and where boxes are."""
    arrows = "".join(
        f'<path d="{path}" marker-end="url(#{name}-tip)"/>'
        f'<text class="note" x="{x}" y="{y}">{escape(text)}</text>'
        for path, (x, y), text in paths
    )
    return (
        f'<svg class="flow {name}" viewBox="0 0 {size[0]} {size[1]}" role="img"'
        f' aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{_TITLE}</title>'
        f'<desc id="{name}-desc">{escape(" ".join((*_STEPS, _SETUP)))}</desc>'
        f'<defs><marker id="{name}-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><polygon class="tip" points="0,0 8,4 0,8"/></marker>'
        f"</defs>{background}{arrows}"
        f"{''.join(_box(*place, *box) for place, box in zip(boxes, _BOXES, strict=True))}</svg>"
    )


def _box(x: int, y: int, kind: str, title: str, note: str) -> str:
    width, height = _SIZE
    middle = x + width // 2
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>'
        f'<text x="{middle}" y="{y + 33}" text-anchor="middle">{escape(title)}</text>'
        f'<text class="note" x="{middle}" y="{y + 56}" text-anchor="middle">'
        f"{escape(note)}</text>"
    )
