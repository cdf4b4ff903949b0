"""Start headless Chromium for each test module, drive it with selenium, and check its pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from itertools import pairwise, product

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # Host names do not resolve, so a link leads to an error page that keeps the link's address.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

# Lists the visible elements whose own text has less contrast than WCAG requires.
CONTRAST = """
const light = c => { c /= 255; return c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
const parse = s => (s.match(/[\\d.]+/g) || []).map(Number);
const luminance = c => .2126 * light(c[0]) + .7152 * light(c[1]) + .0722 * light(c[2]);
const ground = e => {
  for (; e; e = e.parentElement) {
    if (e.tagName === 'rect') break;
    const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c;
  }
  return [255, 255, 255];
};
const found = [];
for (const e of document.querySelectorAll('body *')) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || !e.getClientRects().length || e.closest('title, desc')) continue;
  const style = getComputedStyle(e), svg = e.namespaceURI.endsWith('svg');
  const fore = parse(svg ? style.fill : style.color);
  const back = svg ? parse(getComputedStyle(e.ownerSVGElement.querySelector('.box')).fill)
                   : ground(e);
  const [a, b] = [luminance(fore), luminance(back)].sort((x, y) => y - x);
  const ratio = (a + .05) / (b + .05);
  if (ratio < 4.5) found.push(`${e.tagName} ${e.className} ${ratio.toFixed(2)}`);
}
return [...new Set(found)];
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Yield a browser with an empty profile. Without Chromium, skip the test, or fail it in CI."""
    found, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if found is None or driver is None:
        unavailable = pytest.fail if os.environ.get("CI") else pytest.skip
        unavailable("needs Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = found
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser') / 'profile'}"):
        options.add_argument(flag)
    with webdriver.Chrome(options=options, service=Service(driver)) as running:
        resize(running)
        yield running


@pytest.fixture(params=product((360, 768, 1280), ("light", "dark")), ids=str)
def screen(browser: webdriver.Chrome, request: pytest.FixtureRequest) -> Iterator[int]:
    """Show a test's pages on a screen of this width, in this colour scheme; yield the width."""
    resize(browser, *request.param)
    yield request.param[0]
    resize(browser)


def resize(driver: webdriver.Chrome, width: int = 1280, scheme: str = "light") -> None:
    """Show pages on a screen of this width, in this colour scheme."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": False},
    )
    prefer(driver, {"prefers-color-scheme": scheme})


def prefer(driver: webdriver.Chrome, preferences: Mapping[str, str]) -> None:
    """Emulate these values of CSS's media features, such as the user's colour scheme."""
    features = [{"name": name, "value": value} for name, value in preferences.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def check_readable(driver: webdriver.Chrome) -> None:
    """Check that the page is not wider than the screen, and that its text has enough contrast."""
    element = "document.documentElement"
    assert driver.execute_script(f"return {element}.scrollWidth - {element}.clientWidth") == 0
    assert driver.execute_script(CONTRAST) == []


def outline(driver: webdriver.Chrome) -> int:
    """Check the order of the headings, the language and the tables; count the landmarks."""
    levels: list[int] = driver.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])"
    )
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert driver.execute_script("return document.documentElement.lang") == "en"
    unnamed = "return [...document.querySelectorAll('table')].filter(t => !t.caption).length"
    assert driver.execute_script(unnamed) == 0
    landmarks = "return document.querySelectorAll('header, nav, main, footer').length"
    found: int = driver.execute_script(landmarks)
    return found
