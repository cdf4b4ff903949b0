"""How `status` reports connection and health check logs in the access logs' location."""

from __future__ import annotations

import pytest
from operating.looking import LOGS, POLICY, Looking

from dt_logs_rehearsal.account import Account

NONE = "none in the same place since yesterday"
TOO = "logs land in the same place and are announced, too; Data Theorem cannot read them"


@pytest.fixture
def arn(looking: Looking) -> str:
    """Add a load balancer that logs below a prefix."""
    looking.account.add_bucket(LOGS, policy=POLICY)
    return looking.account.add_load_balancer("web", bucket=LOGS, prefix="alb")


def also(account: Account, arn: str, kind: str, prefix: str = "alb") -> None:
    """Let a load balancer store another kind of logs in the same bucket."""
    account.world.load_balancers[arn].attributes |= {
        f"{kind}.s3.enabled": "true",
        f"{kind}.s3.bucket": LOGS,
        f"{kind}.s3.prefix": prefix,
    }


def test_other_logs_in_the_same_place_are_announced(looking: Looking, arn: str) -> None:
    account = looking.account
    other = account.add_load_balancer("other")  # its connection logs have the same location
    also(account, other, "connection_logs")
    also(account, arn, "health_check_logs")
    looking.create(arn)
    assert looking.told("other logs", arn) == ("ok", NONE)

    assert account.write_log(other, kind="connection")
    assert looking.told("other logs", arn) == ("ok", f"connection {TOO}")
    account.clock.sleep(24 * 3600)
    assert account.write_log(arn, kind="health check")
    assert looking.told("other logs", arn) == ("ok", f"connection and health check {TOO}")
    account.clock.sleep(24 * 3600)
    assert looking.told("other logs", arn) == ("ok", f"health check {TOO}")
    denied = "not readable: you lack s3:ListBucket on arn:aws:s3:::" + LOGS
    assert looking.told("other logs", arn, denied=("s3:ListBucket",)) == ("unknown", denied)


def test_other_logs_elsewhere_are_not_told(looking: Looking, arn: str) -> None:
    also(looking.account, arn, "connection_logs", prefix="connections")
    looking.create(arn)
    assert looking.account.write_log(arn, kind="connection")
    assert looking.told("other logs", arn) == ("ok", NONE)


def test_other_logs_are_not_announced_where_nothing_is(looking: Looking, arn: str) -> None:
    also(looking.account, arn, "connection_logs")
    assert looking.account.write_log(arn, kind="connection")
    assert looking.told("other logs", arn) == ("ok", "connection logs land in the same place")
