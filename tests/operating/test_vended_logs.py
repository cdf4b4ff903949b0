"""How `status` and `plan` report access logs that CloudWatch Logs delivers."""

from __future__ import annotations

import json
from types import SimpleNamespace as Namespace
from typing import Any

from operating.account import ACCOUNT, ASKED, REGION, Served
from operating.looking import EVERYTHING, Looking

from dt_logs_cfn.operate.status.reads import VendedLogs, vended_logs
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account, LogDelivery

STREAM = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/aws-waf-logs"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:alb"
ONE = "CloudWatch Logs delivers access logs of 1 load balancer here"
RIGHTS = ("DescribeDeliverySources", "DescribeDeliveries", "DescribeDeliveryDestinations")


def vend(account: Account, arn: str, kind: str = "ALB_ACCESS_LOGS", to: str = STREAM) -> None:
    account.world.log_deliveries.append(LogDelivery(arn, kind, "FH", to))


def test_load_balancer_that_logs_by_cloudwatch_logs_alone_logs(looking: Looking) -> None:
    arn = looking.account.add_load_balancer("web")
    vend(looking.account, arn)
    vend(looking.account, arn, to=GROUP)

    found = looking.of(arn)

    check = found[load_balancer_name(arn), "logging"]
    assert check.verdict == "finding"
    assert check.saw == f"only CloudWatch Logs delivers its access logs, to {STREAM}, {GROUP}"
    assert "Both deliveries can be on" in check.fix
    assert found["account", "vended logs"].saw == ONE
    for right in RIGHTS:
        found = looking.of(arn, denied=(f"logs:{right}",))
        check = found["account", "vended logs"]
        assert (check.verdict, check.saw) == ("unknown", f"not readable: you lack logs:{right}")
        assert found[load_balancer_name(arn), "logging"].saw == (
            "access_logs.s3 is off; it is unknown whether CloudWatch Logs delivers access logs"
        )


def test_both_deliveries_are_told(looking: Looking) -> None:
    looking.account.add_bucket("logs")
    both, alone, other = (
        looking.account.add_load_balancer(name, bucket="logs")
        for name in ("both", "alone", "other")
    )
    vend(looking.account, both)
    vend(looking.account, other)  # `of` below does not check this one
    vend(looking.account, alone, "ALB_CONNECTION_LOGS")

    found = looking.of(both, alone)

    name = load_balancer_name(both)
    told = {of: (e.verdict, e.saw) for (of, check), e in found.items() if check == "vended logs"}
    assert told == {
        name: ("ok", f"CloudWatch Logs delivers its access logs, too: to {STREAM}"),
        "account": ("ok", ONE),
    }
    assert found[name, "logging"].saw == "access logs go to s3://logs/"


def test_destination_in_another_account_is_named_by_its_delivery_destination() -> None:
    theirs = f"arn:aws:logs:{REGION}:444455556666:delivery-destination:central"
    source = {"name": "web", "resourceArns": ["arn:web"], "logType": "ALB_ACCESS_LOGS"}
    idle = {"name": "idle", "resourceArns": ["arn:idle"], "logType": "ALB_ACCESS_LOGS"}
    deliveries = [
        {"deliverySourceName": each, "deliveryDestinationArn": theirs}
        for each in ("web", "another")
    ]
    pages: dict[str, Any] = {
        "describe_delivery_sources": {"deliverySources": [source, idle]},
        "describe_delivery_destinations": {},
        "describe_deliveries": {"deliveries": deliveries},
    }
    client: Any = Namespace(get_paginator=lambda name: Namespace(paginate=lambda: [pages[name]]))
    assert vended_logs(client) == (VendedLogs("arn:web", theirs),)


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
        f"  {load_balancer_name(arn)}: to {STREAM}\n"
    ) in ran.out
    assert "  ~ access_logs.s3.enabled: false -> true" in ran.out.splitlines()
    assert found["vended_logs"] == [{"load_balancer": arn, "destination": STREAM}]

    deny = {"Effect": "Deny", "Action": "logs:DescribeDeliverySources", "Resource": "*"}
    served.sign_in_as(EVERYTHING, deny)
    ran = served.run(*asked)
    assert ran.code == 1
    assert (
        "Unknown whether CloudWatch Logs delivers access logs, too:\n"
        "  not readable: you lack logs:DescribeDeliverySources\n"
    ) in ran.out
    assert json.loads(served.run(*asked, "--json").out)["vended_logs"] is None
