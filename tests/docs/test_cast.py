"""The cast in README.md shows the sessions in operations.md, without scripts or other files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType
from xml.etree import ElementTree

import pytest
from support.generators import DOCS, generator

CAST = DOCS / "cast.svg"


@pytest.fixture(scope="module")
def cast() -> ModuleType:
    return generator("cast")


def texts(drawing: str) -> Iterator[str]:
    for each in ElementTree.fromstring(drawing).iter("{http://www.w3.org/2000/svg}text"):
        yield "".join(each.itertext())


def test_it_shows_what_the_commands_print_now(cast: ModuleType) -> None:
    made = cast.cast((DOCS / "operations.md").read_text("utf-8"))

    assert made == CAST.read_text("utf-8"), "Make it anew: python docs/cast.py"


def test_its_lines_fit_and_it_runs_and_loads_nothing(cast: ModuleType) -> None:
    drawing = CAST.read_text("utf-8")
    elements = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(drawing).iter()}
    lines = [*texts(drawing)]

    assert max(map(len, lines)) <= cast.COLUMNS
    assert re.fullmatch(r"\d+ checks: .* unknown\.", lines[-1])
    assert elements == {"svg", "title", "style", "rect", "g", "text", "tspan"}
    assert re.findall(r"\bon\w+=|href|url\(|@import", drawing) == []


def test_each_command_begins_on_an_empty_screen_and_scrolls(cast: ModuleType) -> None:
    screens = [cast.Screen(["$ a"], ["1"] * 40), cast.Screen(["$ b"], ["2"])]

    frames, seconds = cast._frames(screens)

    shown = [(each.top, each.end) for each in frames]
    assert shown[:2] == [(0, 1), (0, 2)]
    assert shown[29:31] == [(0, 30), (1, 31)]
    assert shown[-3:] == [(11, 41), (41, 42), (41, 43)]
    times = [each.at for each in frames]
    assert times == sorted(times) and times[-1] < seconds
