"""Every scenario has the same result in moto and in the emulated account, under both roles."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from moto import mock_aws
from support.events import ACCOUNT
from support.moto_account import Account as MotoAccount
from support.moto_account import make_clients, put_right
from support.moto_disagreements import agreed_settings

from dt_logs_rehearsal.account import Account, Clock
from dt_logs_rehearsal.account.iam.policy import canonical
from dt_logs_rehearsal.report.changes import diff
from dt_logs_rehearsal.scenarios.customers import announced
from lifecycle.cloudformation import ENDPOINT, Stack
from lifecycle.scenarios import PRIVILEGES, SCENARIOS, Scenario, clients_of

REGION = "eu-west-1"
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


class OnMoto(MotoAccount):
    """The account in moto, with a clock for the stacks that a scenario prepares."""

    def __init__(self) -> None:
        super().__init__(make_clients(None, REGION), REGION)
        self.clock = Clock()


class Twin(Account):
    """The emulated account, with the same load balancer ARNs as in moto."""

    def __init__(self, arns: list[str]) -> None:
        super().__init__(ACCOUNT, REGION)
        self._arns = list(arns)

    def add_load_balancer(self, name: str, *args: Any, **given: Any) -> str:
        made = super().add_load_balancer(name, *args, **given)
        found = self.world.load_balancers.pop(made)
        found.arn = self._arns.pop(0)
        self.world.load_balancers[found.arn] = found
        return found.arn


def read(account: Any, topics: list[str]) -> dict[str, Any]:
    """Return an account as its API shows it, with policies in canonical form."""
    found = MotoAccount({name: account.client(name) for name in SERVICES})
    balancers = found.elbv2.describe_load_balancers()["LoadBalancers"]
    buckets = {name: agreed_settings(found.settings(name)) for name in found.buckets()}
    for settings in buckets.values():
        settings["policy"] = settings["policy"] and canonical(json.dumps(settings["policy"]))
    return {
        "logging": {arn: found.logging(arn) for arn in (e["LoadBalancerArn"] for e in balancers)},
        "buckets": buckets,
        "topics": {
            arn: (
                canonical(found.sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]),
                found.subscriptions(arn),
            )
            for arn in topics
        },
    }


@pytest.fixture(autouse=True)
def _moto() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        put_right(patch)
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """At the small size, try only some scenarios, because moto takes 2 ms per call."""
    full = metafunc.config.getoption("--lifecycle-size") == "full"
    tried = [each for each in SCENARIOS if full or each.name in SMALL]
    metafunc.parametrize("scenario", tried, ids=lambda each: each.name)


@PRIVILEGES
def test_the_same_comes_of_it(scenario: Scenario, privileges: str) -> None:
    moto = OnMoto()
    arns = scenario.prepare(moto)  # type: ignore[arg-type]  # it has all that scenarios use
    twin = Twin(arns)
    assert scenario.prepare(twin) == arns
    both: list[tuple[Any, Stack]] = [(each, Stack(each.clock, seed=1)) for each in (moto, twin)]

    def compare() -> None:
        twin.confirm(ENDPOINT)
        assert not diff(read(moto, moto.topics()), read(twin, list(twin.world.topics)))

    states = [None, scenario.before(arns), scenario.after(arns), None]
    given = [each and {**each, "Privileges": privileges} for each in states]
    compare()
    for old, new in itertools.pairwise(given):
        if not (wanted := new or old):
            continue
        kind = ("Update" if new else "Delete") if old else "Create"
        # Runs wait for random times, so the clocks differ.
        moto.clock.now = twin.clock.now = max(moto.clock.now, twin.clock.now)
        answers = [
            stack.run(kind, wanted, partial(clients_of, account), old)["Status"]
            for account, stack in both
        ]
        compare()
        if privileges == "documented" and scenario.prepare is announced:
            assert answers == ["FAILED", "FAILED"]  # this role cannot share a topic
            return
        assert answers == ["SUCCESS", "SUCCESS"]
