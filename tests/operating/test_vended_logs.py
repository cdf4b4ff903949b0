"""What `status` and `plan` say about access logs that CloudWatch Logs delivers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operating.account import ACCOUNT, ASKED, REGION, Served
from operating.looking import Looking

from dt_logs_cfn.operate.status.reads import vended_logs
from dt_logs_rehearsal.account import Account, LogDelivery

STREAM = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/aws-waf-logs"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:alb"
RIGHTS = ("DescribeDeliverySources", "DescribeDeliveries", "DescribeDeliveryDestinations")


@pytest.fixture
def looking(account: Account) -> Looking:
    return Looking(account)


def vend(account: Account, arn: str, kind: str = "ALB_ACCESS_LOGS", to: str = STREAM) -> None:
    account.world.log_deliveries.append(LogDelivery(arn, kind, "FH", to))


def test_load_balancer_that_logs_by_cloudwatch_logs_alone_logs(looking: Looking) -> None:
    arn = looking.account.add_load_balancer("web")
    vend(looking.account, arn)
    vend(looking.account, arn, to=GROUP)

    found = looking.of(arn)

    check = found[arn.partition(":loadbalancer/")[2], "logging"]
    assert check.verdict == "finding"
    assert check.saw == f"only CloudWatch Logs delivers its access logs, to {STREAM}, {GROUP}"
    assert "Both deliveries can be on" in check.fix
    assert found["account", "vended logs"].saw == (
        "CloudWatch Logs delivers access logs of 1 load balancer here"
    )


def test_both_deliveries_are_told(looking: Looking) -> None:
    looking.account.add_bucket("logs")
    both = looking.account.add_load_balancer("both", bucket="logs")
    alone = looking.account.add_load_balancer("alone", bucket="logs")
    other = looking.account.add_load_balancer("other", bucket="logs")  # it is not checked
    vend(looking.account, both)
    vend(looking.account, other)
    vend(looking.account, alone, "ALB_CONNECTION_LOGS")

    found = looking.of(both, alone)

    names = {of: check for (of, name), check in found.items() if name == "vended logs"}
    name = both.partition(":loadbalancer/")[2]
    assert set(names) == {name, "account"}
    assert (names[name].verdict, names["account"].verdict) == ("ok", "ok")
    assert names[name].saw == f"CloudWatch Logs delivers its access logs, too: to {STREAM}"
    assert names["account"].saw == "CloudWatch Logs delivers access logs of 1 load balancer here"
    assert found[name, "logging"].saw == "access logs go to s3://logs/"


@pytest.mark.parametrize("right", RIGHTS)
def test_without_the_right_it_is_unknown_whether_it_logs(looking: Looking, right: str) -> None:
    arn = looking.account.add_load_balancer("web")
    vend(looking.account, arn)

    found = looking.of(arn, denied=(f"logs:{right}",))

    check = found["account", "vended logs"]
    assert (check.verdict, check.saw) == ("unknown", f"not readable: you lack logs:{right}")
    assert found[arn.partition(":loadbalancer/")[2], "logging"].saw == (
        "access_logs.s3 is off; whether CloudWatch Logs delivers access logs is not known"
    )


class Pages:
    """A CloudWatch Logs client that answers each operation with one page."""

    def __init__(self, **pages: dict[str, Any]) -> None:
        self.pages = pages

    def get_paginator(self, name: str) -> Pages:
        return Pages(page=self.pages[name])

    def paginate(self) -> list[dict[str, Any]]:
        return [self.pages["page"]]


def test_destination_in_another_account_is_named_by_its_delivery_destination() -> None:
    theirs = f"arn:aws:logs:{REGION}:444455556666:delivery-destination:central"
    source = {"name": "web", "resourceArns": ["arn:web"], "logType": "ALB_ACCESS_LOGS"}
    idle = {"name": "idle", "resourceArns": ["arn:idle"], "logType": "ALB_ACCESS_LOGS"}
    client: Any = Pages(
        describe_delivery_sources={"deliverySources": [source, idle]},
        describe_delivery_destinations={},
        describe_deliveries={
            "deliveries": [
                {"deliverySourceName": "web", "deliveryDestinationArn": theirs},
                {"deliverySourceName": "another", "deliveryDestinationArn": theirs},
            ]
        },
    )

    found = vended_logs(client)

    assert isinstance(found, tuple)
    assert [(each.load_balancer, each.destination) for each in found] == [("arn:web", theirs)]


def test_plan_tells_what_cloudwatch_logs_delivers_already(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    vend(served.account, arn)
    vend(served.account, served.account.add_load_balancer("other"))
    asked = ("plan", "--load-balancer", arn, *ASKED)

    ran = served.run(*asked)
    found = json.loads(served.run(*asked, "--json").out)

    assert ran.code == 1
    assert (
        "CloudWatch Logs already delivers access logs of these, and continues (both can be on):\n"
        f"  {arn.partition(':loadbalancer/')[2]}: to {STREAM}\n"
    ) in ran.out
    assert "  ~ access_logs.s3.enabled: false -> true" in ran.out.splitlines()
    assert found["vended_logs"] == [{"load_balancer": arn, "destination": STREAM}]


def test_plan_without_the_right_says_that_it_is_not_known(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    served.sign_in_as(
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "logs:DescribeDeliverySources", "Resource": "*"},
    )
    asked = ("plan", "--load-balancer", arn, *ASKED)

    ran = served.run(*asked)

    assert ran.code == 1
    assert (
        "Unknown whether CloudWatch Logs delivers access logs, too:\n"
        "  not readable: you lack logs:DescribeDeliverySources\n"
    ) in ran.out
    assert json.loads(served.run(*asked, "--json").out)["vended_logs"] is None
