"""The screenshots in README.md are small and show the current pages."""

from __future__ import annotations

import json

from support.generators import DOCS, generator


def test_they_show_the_pages_of_today() -> None:
    screenshots = generator("screenshots")

    recorded = json.loads(screenshots.DIGESTS.read_text("utf-8"))

    assert recorded == screenshots.digests(), "Take them anew: python docs/screenshots.py"


def test_they_are_small() -> None:
    sizes = [(DOCS / name).stat().st_size for name in ("launch-page.png", "report.png")]

    assert max(sizes) < 150_000
