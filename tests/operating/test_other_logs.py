"""How `status` reports connection and health check logs in the access logs' location."""

from __future__ import annotations

import pytest
from operating.looking import Looking

from dt_logs_rehearsal.account import Account

DELIVERY = {
    "Effect": "Allow",
    "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
    "Action": "s3:PutObject",
    "Resource": "arn:aws:s3:::logs/*",
}
POLICY = {"Version": "2012-10-17", "Statement": [DELIVERY]}


@pytest.fixture
def looking(account: Account) -> Looking:
    account.add_bucket("logs", policy=POLICY)
    return Looking(account)


def also(account: Account, arn: str, kind: str, prefix: str = "alb") -> None:
    """Let a load balancer store another kind of logs in the same bucket."""
    account.world.load_balancers[arn].attributes |= {
        f"{kind}.s3.enabled": "true",
        f"{kind}.s3.bucket": "logs",
        f"{kind}.s3.prefix": prefix,
    }


def saw(looking: Looking, arn: str) -> str:
    found = looking.check("other logs", arn)
    assert found.verdict == "ok"
    return found.saw


def test_other_logs_in_the_same_place_are_announced(looking: Looking) -> None:
    account = looking.account
    arn = account.add_load_balancer("web", bucket="logs", prefix="alb")
    other = account.add_load_balancer("other")  # its connection logs go to the same place
    also(account, other, "connection_logs")
    also(account, arn, "health_check_logs")
    looking.create(arn)
    assert saw(looking, arn) == "none in the same place since yesterday"

    assert account.write_log(other, kind="connection")
    assert saw(looking, arn) == (
        "connection logs land in the same place and are announced, too;"
        " Data Theorem cannot read them"
    )
    account.clock.sleep(24 * 3600)
    assert account.write_log(arn, kind="health check")
    assert saw(looking, arn) == (
        "connection and health check logs land in the same place and are announced, too;"
        " Data Theorem cannot read them"
    )
    account.clock.sleep(24 * 3600)
    assert "health check logs land" in saw(looking, arn)
    assert "connection" not in saw(looking, arn)


def test_other_logs_elsewhere_are_not_told(looking: Looking) -> None:
    arn = looking.account.add_load_balancer("web", bucket="logs", prefix="alb")
    also(looking.account, arn, "connection_logs", prefix="connections")
    looking.create(arn)
    assert looking.account.write_log(arn, kind="connection")
    assert saw(looking, arn) == "none in the same place since yesterday"


def test_other_logs_are_not_announced_where_nothing_is(looking: Looking) -> None:
    arn = looking.account.add_load_balancer("web", bucket="logs", prefix="alb")
    also(looking.account, arn, "connection_logs")
    assert looking.account.write_log(arn, kind="connection")
    assert saw(looking, arn) == "connection logs land in the same place"


def test_other_logs_that_may_not_be_listed_are_unknown(looking: Looking) -> None:
    arn = looking.account.add_load_balancer("web", bucket="logs", prefix="alb")
    found = looking.check("other logs", arn, denied=("s3:ListBucket",))
    assert (found.verdict, found.saw) == (
        "unknown",
        "not readable: you lack s3:ListBucket on arn:aws:s3:::logs",
    )
