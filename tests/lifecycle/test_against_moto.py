"""Every scenario has the same result in moto and in the emulated account, under both roles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from support.moto_account import put_right

from dt_logs_rehearsal.account import Clock
from dt_logs_rehearsal.report.changes import diff
from dt_logs_rehearsal.scenarios.customers import announced
from lifecycle.cloudformation import ENDPOINT, Stack
from lifecycle.on_moto import OnMoto, Twin, read
from lifecycle.scenarios import SCENARIOS, Scenario

SERVICES = ("elbv2", "s3", "sns")
SMALL = (
    "adopted",
    "another bucket",
    "another vendor, endpoint and retention",
    "exchange",
    "join a stack",
    "join on adopted",
    "new bucket",
    "switched off",
    "a topic that is there",
)


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        put_right(patch)
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try only some scenarios in the small size, because moto takes 2 ms per call."""
    full = metafunc.config.getoption("--lifecycle-size") == "full"
    tried = [each for each in SCENARIOS if full or each.name in SMALL]
    metafunc.parametrize("scenario", tried, ids=lambda each: each.name)


@pytest.mark.parametrize("privileges", ["least-privilege", "documented"])
def test_the_same_comes_of_it(scenario: Scenario, privileges: str) -> None:
    clocks = Clock(), Clock()
    moto = OnMoto(clocks[0])
    arns = scenario.prepare(moto)  # type: ignore[arg-type]  # it has all that scenarios use
    twin = Twin(clocks[1], arns)
    assert scenario.prepare(twin) == arns
    both: list[tuple[Any, Stack]] = [
        (account, Stack(clock, seed=1)) for account, clock in zip((moto, twin), clocks, strict=True)
    ]

    def compare() -> None:
        twin.confirm(ENDPOINT)
        theirs, ours = (
            read({name: each.client(name) for name in SERVICES}, each.topics) for each, _ in both
        )
        assert not diff(theirs, ours)

    states = [scenario.before(arns), scenario.after(arns), None]
    given = [each and {**each, "Privileges": privileges} for each in states]
    compare()
    for old, new in zip([None, *given], given, strict=False):
        kind = ("Update" if new else "Delete") if old else "Create"
        if not (old or new):
            continue
        for each in clocks:  # runs wait for random times
            each.now = max(other.now for other in clocks)
        answers = []
        for account, stack in both:
            clients = tuple(account.client(name) for name in SERVICES)
            event = stack.event(kind, new or old, old if kind == "Update" else None)
            answers.append(stack.send(event, lambda: clients)["Status"])  # called in this iteration
        compare()
        if privileges == "documented" and scenario.prepare is announced:
            assert answers == ["FAILED", "FAILED"]  # this role cannot share a topic
            return
        assert answers == ["SUCCESS", "SUCCESS"]
