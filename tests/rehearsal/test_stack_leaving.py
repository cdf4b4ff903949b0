"""A stack that is deleted, or stops using a bucket, and may not remove everything.

CloudFormation shows no reason for a Delete that succeeds. So the function reports leftovers in its
log, and in a tag on the stack's own bucket if that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rehearsal.played import ended, forbid, logged, played
from support.drifts import denies, log_bucket, write_once
from support.looks import TEST_FILE, granted, logging_of, reads, told_by_tag

from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from dt_logs_rehearsal.scenarios.play import Play

Prepare = Callable[[Account], tuple[str, str]]
TEAM = "team-logs"
KEPT = "log-archive"  # the customer's bucket, from which nothing may be deleted
FROZEN = denies("s3:PutBucketPolicy", "s3:DeleteBucketPolicy")


@pytest.fixture(params=list(Privileges), ids=lambda each: each.value)
def play(request: pytest.FixtureRequest, tmp_path: Path, release: Path) -> Iterator[Play]:
    with played(tmp_path, release, request.param) as found:
        yield found


def nothing_of_ours(play: Play) -> None:
    """Check that the stack left nothing, except what the documented role may not delete."""
    assert granted(play.account) == []
    for name, bucket in play.snapshot()["buckets"].items():
        assert not any("dt-logs-analysis" in each for each in bucket["notifications"]), name
        sids = [
            each.get("Sid", "") for each in (bucket["policy"] or {"Statement": []})["Statement"]
        ]
        ours = [each for each in sids if each.startswith("DTLogsAnalysis")]
        assert [each for each in ours if not each.endswith("TlsOnly")] == [], name
    if not play.documented:
        assert play.snapshot()["topics"] == {}
        assert play.snapshot()["subscriptions"] == {}


def named(account: Account) -> tuple[str, str]:
    """Make an ALB that never logged; return its ARN and a LogBucketName."""
    log_bucket(account, KEPT, write_once(KEPT))
    return account.add_load_balancer("web"), KEPT


def set_there(account: Account) -> tuple[str, str]:
    """Make an ALB whose logging is off, with a bucket set; return its ARN and no LogBucketName."""
    log_bucket(account, KEPT, write_once(KEPT))
    return account.add_load_balancer("web", bucket=KEPT, prefix="alb", enabled=False), ""


@pytest.mark.parametrize("prepare", [named, set_there])
def test_a_bucket_from_which_nothing_may_be_deleted(play: Play, prepare: Prepare) -> None:
    web, bucket = prepare(play.account)
    stack = play.create(web, LogBucketName=bucket)
    ended(play, "CREATE_COMPLETE", stack)
    play.log(web)

    play.delete(stack)

    ended(play, "DELETE_COMPLETE", stack)
    nothing_of_ours(play)
    assert logging_of(play.account, web)[0] == "false"
    assert any(TEST_FILE in each for each in play.account.world.buckets[KEPT].objects)
    assert TEST_FILE in logged(play)
    assert TEST_FILE in told_by_tag(play.account).get(KEPT, TEST_FILE)


def test_a_frozen_policy_fails_with_the_statement_to_remove(play: Play) -> None:
    customers_bucket(play.account)
    web = play.account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb")
    before = play.snapshot()["buckets"][CUSTOMERS]
    stack = play.create(web)
    ended(play, "CREATE_COMPLETE", stack)
    play.log(web)
    (sid,) = granted(play.account)
    forbid(play, FROZEN)

    play.delete(stack)

    ended(play, "DELETE_FAILED", stack)
    assert sid in play.reason()
    assert CUSTOMERS in play.reason()
    assert granted(play.account) == [sid]

    forbid(play)
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    nothing_of_ours(play)
    play.log(web, reads=False)
    now = play.snapshot()["buckets"][CUSTOMERS]
    assert (now["policy"], now["notifications"]) == (before["policy"], before["notifications"])
    assert play.report.unexpected == []


@pytest.mark.parametrize("whose", ["the customer's", "ours"])
def test_a_bucket_that_was_deleted_before_the_stack(play: Play, whose: str) -> None:
    if whose == "ours":
        web = play.account.add_load_balancer("web")
    else:
        customers_bucket(play.account)
        web = play.account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb")
    stack = play.create(web)
    ended(play, "CREATE_COMPLETE", stack)
    (topic,) = play.account.world.topics
    del play.account.world.buckets[logging_of(play.account, web)[1]]

    play.delete(stack)

    ended(play, "DELETE_COMPLETE", stack)
    if play.documented:
        assert f"aws sns delete-topic --topic-arn {topic}" in logged(play)
    nothing_of_ours(play)


def test_all_load_balancers_but_one_that_cannot_be_onboarded(play: Play) -> None:
    """An output names the load balancer left out, since CloudFormation shows no reason then."""
    customers_bucket(play.account)
    play.account.world.buckets[CUSTOMERS].ownership = "ObjectWriter"
    web = play.account.add_load_balancer("web")
    play.account.add_load_balancer("shop", bucket=CUSTOMERS, prefix="alb")

    stack = play.create("*")

    ended(play, "CREATE_COMPLETE", stack)
    told = stack.outputs.get("NotOnboarded", "")
    assert "app/shop/" in told and CUSTOMERS in told
    assert "app/web/" not in told
    assert stack.outputs.get("Warnings") == "none"
    play.log(web)
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    nothing_of_ours(play)
    assert play.report.unexpected == []


def take_over(account: Account, arn: str) -> None:
    """Set `enabled` and `bucket`, but not the prefix, as a Kubernetes controller does."""
    account.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=arn,
        Attributes=[
            {"Key": "access_logs.s3.enabled", "Value": "true"},
            {"Key": "access_logs.s3.bucket", "Value": TEAM},
        ],
    )


def test_the_logging_stays_where_a_controller_sent_it(play: Play) -> None:
    log_bucket(play.account, TEAM)
    web, api = (play.account.add_load_balancer(each) for each in ("web", "api"))
    stack = play.create(web)
    ended(play, "CREATE_COMPLETE", stack)
    play.log(web)
    own = logging_of(play.account, web)[1:]
    take_over(play.account, web)
    take_over(play.account, api)  # this load balancer is not in the stack
    logging = logging_of(play.account, web)
    team = play.snapshot()["buckets"][TEAM]

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
