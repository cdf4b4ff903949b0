"""The Delete after a failed Create names what the documented role cannot remove."""

from __future__ import annotations

from lifecycle.failure_points import World
from lifecycle.scenarios import SCENARIOS


def test_a_failed_create_names_the_topic_that_the_documented_role_may_not_delete() -> None:
    (scenario,) = (each for each in SCENARIOS if each.name == "documented")
    world = World(scenario)
    calls = ("elbv2:ModifyLoadBalancerAttributes",)
    recorded = World(scenario)
    recorded.stack.send(recorded.event(), recorded.failing)
    world.faults.at = next(k for k, each in enumerate(recorded.faults.calls) if each in calls)
    world.faults.mode = "denied"
    answer = world.stack.send(world.event(), world.failing)
    assert answer["Status"] == "FAILED"
    wanted = scenario.after(world.arns)
    assert wanted
    answer = world.stack.send(world.stack.event("Delete", wanted), world.clients)
    (topic,) = world.account.world.topics
    assert f"aws sns delete-topic --topic-arn {topic}" in str(answer["Reason"])
