"""`explain`: every right with its reason, for people and for programs."""

from __future__ import annotations

import json

import pytest
from cli.conftest import Run

from dt_logs_handler.grants import GRANTS


def test_every_right_is_told_with_its_step_and_its_reason(run: Run) -> None:
    ran = run("explain")
    assert ran.code == 0
    flat = " ".join(ran.out.split())
    for grant in GRANTS:
        assert f"{grant.step}: {grant.why}" in flat
        for action in grant.actions:
            assert action in flat
    assert "if aws:ResourceAccount is ${Account}" in flat
    assert max(map(len, ran.out.splitlines())) <= 100


def test_a_program_gets_the_same(run: Run) -> None:
    found = json.loads(run("explain", "--json").out)
    granted = [action for grant in GRANTS for action in grant.actions]
    assert sorted(each["action"] for each in found["rights"]) == sorted(granted)
    assert found["refused"]
    assert found["open"]


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_the_documented_role_is_measured_against_what_is_used(
    run: Run, option: tuple[str, ...]
) -> None:
    ran = run("explain", "--privileges", "documented", *option)
    assert ran.code == 0
    assert "sns:CreateTopic" in ran.out
    used = {a for grant in GRANTS for a in grant.actions if a.startswith("s3:")}
    assert str(len(used)) in ran.out
