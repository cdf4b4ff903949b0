"""What is told of a roll-out: what changes, no secret, and nothing that drives a terminal."""

from dataclasses import replace
from typing import Any

from support.stack_sets import FakeCloudFormation

from dt_logs_cfn.operate.stack_sets import report
from dt_logs_cfn.operate.stack_sets.intention import intention
from dt_logs_cfn.operate.stack_sets.plan import plan
from dt_logs_cfn.operate.stack_sets.rollout import Rollout
from stack_sets.rollouts import OHIO, ONE, VALUES, look, rolled_out, rollout, template

ENDPOINT = "NotificationEndpoint"
OURS = "https://logs.example.com/token-of-the-customer"


def shown(client: Any, wanted: Rollout) -> list[str]:
    """Return what is shown of the operations."""
    _, present = look(client, wanted)
    return intention(wanted, present, plan(wanted, present), "account 1, region 2")[4:]


def test_an_update_is_shown_from_old_to_new() -> None:
    client = FakeCloudFormation()
    tags = {"team": "logs", "cost": "1", "hook": "https://h.example.com/ONE"}
    rolled_out(client, rollout(tags=tags))
    parameters = {ENDPOINT: f"{OURS}-2", "RunToken": "2", "LogRetentionDays": "7"}
    tags = {"team": "security", "hook": "https://h.example.com/TWO", "env": "prod"}
    assert shown(client, rollout(parameters=parameters, tags=tags)) == [
        "1. update the stack set and its 4 stacks: parameter LogRetentionDays; parameter"
        " NotificationEndpoint; parameter RunToken; tags",
        "     NotificationEndpoint: https://logs.example.com/… -> https://logs.example.com/… (the"
        " hidden part changes)",
        "     RunToken: empty -> 2",
        "     LogRetentionDays: 30 -> 7",
        "     tag team: logs -> security",
        "     tag hook: https://h.example.com/… -> https://h.example.com/… (the hidden part"
        " changes)",
        "     tag env = prod (new)",
        "     tag cost goes",
    ]


def test_a_template_brings_and_takes_parameters() -> None:
    client = FakeCloudFormation()
    older = template()
    text = older.text.replace('"RunToken"', '"OldToken"')
    rolled_out(client, rollout(template=replace(older, text=text)))
    assert shown(client, rollout(parameters={})) == [
        "1. update the stack set and its 4 stacks: template",
        "     RunToken = empty (new)",
        "     OldToken goes",
    ]


def test_what_is_there_now_is_hidden_in_what_aws_says() -> None:
    client = FakeCloudFormation()
    theirs, row = "https://old.example.com/token-1", "https://row.example.com/token-2"
    rolled_out(
        client,
        rollout(f"account,{ENDPOINT}\n{ONE},{row}\n", parameters={**VALUES, ENDPOINT: theirs}),
    )
    wanted = rollout(f"account,{ENDPOINT}\n{ONE},https://new.example.com/token-3\n")
    _, present = look(client, wanted)
    hide = report.hiding(wanted, present)
    said = (
        f"{theirs} and {row} and {OURS}, or {OURS}/longer or https://new.example.com/token-3 fail"
    )
    assert "token" not in hide(said)
    assert hide(said).startswith("https://old.example.com/… and https://row.example.com/… and")


def test_addresses_that_nobody_asked_for_are_hidden_too() -> None:
    client = FakeCloudFormation()
    client.fails = lambda place, values: "Endpoint (https://other.example.com/token) is invalid"
    wanted = rollout()
    done = rolled_out(client, wanted)
    lines = [*report.outcome(done), str(report.data(wanted, (), done))]
    assert "token" not in "\n".join(lines)
    assert "Endpoint (https://other.example.com/… is invalid" in "\n".join(lines)


def test_what_it_came_to_drives_no_terminal() -> None:
    client = FakeCloudFormation()
    client.fails = lambda place, values: "red \x1b[31m\x9b2J" if place == (ONE, OHIO) else ""
    (made, done) = rolled_out(client, rollout())
    progress = replace(done.progress, reason="two\nlines\x1b]0;title\x07", status="FAILED\x1b[1m")
    lines = report.outcome((made, replace(done, progress=progress)))
    assert all(line.isprintable() for line in lines)
    assert lines[2] == "  two lines ]0;title"
