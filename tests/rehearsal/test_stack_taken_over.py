"""A controller takes over an ALB's logging: the stack leaves it alone, even in a Delete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rehearsal.played import ended, played
from support.drifts import log_bucket
from support.looks import granted, logging_of, reads

from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.play import Play

TEAM = "team-logs"


@pytest.fixture(params=list(Privileges), ids=lambda each: each.value)
def play(request: pytest.FixtureRequest, tmp_path: Path, release: Path) -> Iterator[Play]:
    with played(tmp_path, release, request.param) as found:
        yield found


def take_over(account: Account, arn: str) -> None:
    """Set `enabled` and `bucket`, but not the prefix, as a Kubernetes controller does."""
    account.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=arn,
        Attributes=[
            {"Key": "access_logs.s3.enabled", "Value": "true"},
            {"Key": "access_logs.s3.bucket", "Value": TEAM},
        ],
    )


@pytest.mark.parametrize("updated", [True, False])
def test_the_logging_stays_where_the_customer_sent_it(play: Play, updated: bool) -> None:
    log_bucket(play.account, TEAM)
    web, api = (play.account.add_load_balancer(each) for each in ("web", "api"))
    stack = play.create(web)
    ended(play, "CREATE_COMPLETE", stack)
    play.log(web)
    own = logging_of(play.account, web)[1:]
    take_over(play.account, web)
    take_over(play.account, api)  # this neighbour is not in the stack
    logging = logging_of(play.account, web)
    team = play.snapshot()["buckets"][TEAM]

    if updated:
        play.update(stack, web, RunToken="again")
        ended(play, "UPDATE_COMPLETE", stack)
        assert logging_of(play.account, web) == logging
        assert TEAM in stack.outputs["LogBuckets"]
        play.log(web)
        play.log(api, reads=False)
        assert not reads(play.account, web, at=own)

    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    assert logging_of(play.account, web) == logging
    assert granted(play.account) == []
    play.log(web, reads=False)
    now = play.snapshot()["buckets"][TEAM]
    for each in (team, now):  # the load balancers have written logs there meanwhile
        each["objects"] = {key: v for key, v in each["objects"].items() if "log.gz" not in key}
        each["tags"] = {}
    assert now == team
    assert play.report.unexpected == []


def test_it_leaves_the_stack_and_goes_on_to_log(play: Play) -> None:
    log_bucket(play.account, TEAM)
    web, api = (play.account.add_load_balancer(each) for each in ("web", "api"))
    stack = play.create(web, api)
    ended(play, "CREATE_COMPLETE", stack)
    take_over(play.account, web)
    logging = logging_of(play.account, web)

    play.update(stack, api)

    ended(play, "UPDATE_COMPLETE", stack)
    assert logging_of(play.account, web) == logging
    play.log(web, reads=False)
    play.log(api)
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    assert logging_of(play.account, web) == logging
    assert logging_of(play.account, api)[0] == "false"
    assert play.report.unexpected == []
