"""The invariants hold whatever stacks and customers do to an account, in any order."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from lifecycle.histories import History

CHUNKS = 8


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_histories(
    chunk: int, full: bool, record_property: Callable[[str, object], None]
) -> None:
    # Hypothesis derives its choices from the class's name, so each chunk gets different choices.
    machine = type(f"History{chunk}", (History,), {"run": 0})
    run = settings(
        max_examples=125 if full else 10,
        stateful_step_count=30 if full else 15,
        deadline=None,
        derandomize=True,
        # Shrinking would take minutes, and a history that fails is reproducible without it.
        phases=[Phase.generate],
        report_multiple_bugs=False,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    before = History.run
    run_state_machine_as_test(machine, settings=run)

    record_property("random histories run", History.run - before)
