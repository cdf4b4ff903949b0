"""The few operations of CloudWatch, CloudWatch Logs, S3 Control and STS that we use."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.s3.settings import public_access_block
from dt_logs_rehearsal.account.world import (
    Call,
    LogDelivery,
    Metric,
    Operation,
    Response,
    World,
    moment,
    page,
    present,
)


def get_public_access_block(world: World, call: Call) -> Response:
    """Return the account's own Block Public Access settings (S3 Control)."""
    if call.params["AccountId"] != call.caller.account:
        raise Refused("AccessDenied", "Access Denied", 403)
    return public_access_block(world.account_blocks.get(call.caller.account))


def get_caller_identity(world: World, call: Call) -> Response:
    """Return the caller's identity (STS); the call does not need permission."""
    caller = call.caller
    session = caller.arn.partition(":assumed-role/")[2]
    user = f"AROAEMULATED:{session.rpartition('/')[2]}" if session else caller.account
    return {"UserId": user, "Account": caller.account, "Arn": caller.arn}


def _describe(key: str, shown: Callable[[str, str, LogDelivery], Response]) -> Operation:
    """Return an operation that lists log deliveries, their sources or their destinations (Logs).

    `shown` builds an entry from the start of its ARN, its name and a delivery. [Logs API,
    DescribeDeliveries: up to 50 a page]
    """

    def describe(world: World, call: Call) -> Response:
        scope = f"{call.region}:{call.caller.account}"
        found = [each for each in world.log_deliveries if f":{scope}:" in each.load_balancer]
        arn = f"arn:{world.partition}:logs:{scope}"
        items = [shown(arn, f"delivery-{number}", each) for number, each in enumerate(found)]
        some, token = page(items, call.params.get("nextToken"), call.params.get("limit", 50))
        return {key: list(some), **present(nextToken=token)}

    return describe


describe_delivery_sources = _describe(
    "deliverySources",
    lambda arn, name, each: {
        "name": name,
        "arn": f"{arn}:delivery-source:{name}",
        "resourceArns": [each.load_balancer],
        "service": "elasticloadbalancing",
        "logType": each.log_type,
    },
)
describe_delivery_destinations = _describe(
    "deliveryDestinations",
    lambda arn, name, each: {
        "name": name,
        "arn": f"{arn}:delivery-destination:{name}",
        "deliveryDestinationType": each.destination_type,
        "deliveryDestinationConfiguration": {"destinationResourceArn": each.destination},
    },
)
describe_deliveries = _describe(
    "deliveries",
    lambda arn, name, each: {
        "id": name,
        "arn": f"{arn}:delivery:{name}",
        "deliverySourceName": name,
        "deliveryDestinationArn": f"{arn}:delivery-destination:{name}",
        "deliveryDestinationType": each.destination_type,
    },
)


def get_metric_data(world: World, call: Call) -> Response:
    """Return sums and counts of metrics by period, the latest period first (CloudWatch).

    Emulated metrics have one dimension. [SNS guide, sns-monitoring-using-cloudwatch.md]
    """
    begin, end = (call.params[name].timestamp() for name in ("StartTime", "EndTime"))
    results = []
    for query in call.params["MetricDataQueries"]:
        stat: Any = query.get("MetricStat", {})
        metric, period = stat.get("Metric", {}), stat.get("Period", 60)
        if stat.get("Stat") not in ("Sum", "SampleCount"):
            raise Refused("NotImplemented", "Other statistics are not emulated", 501)
        values = [each["Value"] for each in metric.get("Dimensions", ())]
        of = (metric["Namespace"], metric["MetricName"], *values)
        sums: defaultdict[float, float] = defaultdict(float)
        for each in world.metrics:
            if begin <= each.at < end and (each.namespace, each.name, each.of) == of:
                time = begin + (each.at - begin) // period * period
                sums[time] += each.value if stat["Stat"] == "Sum" else 1
        times = sorted(sums, reverse=True)
        found = {"Id": query["Id"], "Label": metric["MetricName"], "StatusCode": "Complete"}
        found["Timestamps"] = [moment(each) for each in times]
        results.append({**found, "Values": [sums[each] for each in times]})
    return {"MetricDataResults": results, "Messages": []}


def embedded_metrics(log: str) -> Iterator[Metric]:
    """Yield the metrics that CloudWatch extracts from a log's lines [embedded metric format]."""
    for line in log.splitlines():
        if '"_aws"' not in line:
            continue
        found = json.loads(line)
        for directive in found["_aws"]["CloudWatchMetrics"]:
            ((dimension,),) = directive["Dimensions"]
            for metric in directive["Metrics"]:
                name, at = metric["Name"], found["_aws"]["Timestamp"] / 1000
                yield Metric(at, directive["Namespace"], name, found[dimension], found[name])
