"""The cast in a real browser: it plays; with reduced motion, it shows its last screen."""

from __future__ import annotations

import pytest
from selenium import webdriver
from support.generators import DOCS

CAST = DOCS / "cast.svg"
PLAYS = "return document.getAnimations().filter(each => each.playState === 'running').length"
SEEN = """
const screen = document.querySelector('svg svg').getBoundingClientRect();
const curtain = document.querySelector('.curtain').getBoundingClientRect();
return [...document.querySelectorAll('text')].filter(each => {
  const box = each.getBoundingClientRect();
  return box.top >= screen.top - 1 && box.bottom <= Math.min(screen.bottom, curtain.top) + 1;
}).map(each => each.textContent);
"""


def show(browser: webdriver.Chrome, scheme: str, motion: str) -> None:
    features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": motion}
    emulated = [{"name": name, "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": emulated})
    browser.get(CAST.as_uri())


def test_it_plays_line_by_line(browser: webdriver.Chrome) -> None:
    show(browser, "light", "no-preference")

    assert browser.execute_script(PLAYS) == 2
    seek = "for (const each of document.getAnimations()) each.currentTime = arguments[0];"
    browser.execute_script(seek, 100)
    start = browser.execute_script(SEEN)
    browser.execute_script(seek, 1500)
    later = browser.execute_script(SEEN)
    assert start[0] == "$ dt-logs-cfn plan \\"
    assert later[: len(start)] == start and len(later) > len(start)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_with_reduced_motion_it_shows_the_last_screen(
    browser: webdriver.Chrome, scheme: str
) -> None:
    show(browser, scheme, "reduce")

    seen = browser.execute_script(SEEN)
    assert browser.execute_script(PLAYS) == 0
    assert len(seen) > 20
    assert seen[-1].endswith(" unknown.")
