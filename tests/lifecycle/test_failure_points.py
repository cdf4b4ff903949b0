"""Whichever call fails, and however, the next event brings the account to its expected state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lifecycle.failure_points import points, recorded, violations
from lifecycle.faults import MODES
from lifecycle.scenarios import SCENARIOS, Scenario

EACH = 11  # the small size tries one point in this many


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_every_failure_is_made_good(
    scenario: Scenario, full: bool, record_property: Callable[[str, object], None]
) -> None:
    tried = list(points(scenario))[:: 1 if full else EACH]
    wrong = {each: found for each in tried if (found := violations(scenario, *each))}

    record_property("failure points tried", len(tried))
    record_property("failure points tried wrong", len(wrong))
    assert wrong == {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["three load balancers", "all new load balancers", "exchange"])
def test_every_failure_is_made_good_among_several_at_once(name: str, mode: str, full: bool) -> None:
    """Several calls run at once, so which one fails is random; the result must not be random."""
    (scenario,) = (each for each in SCENARIOS if each.name == name)
    for number in range(0, len(recorded(scenario)), 1 if full else 3):
        assert violations(scenario, number, mode, False, workers=3) == [], number
