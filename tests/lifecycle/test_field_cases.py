"""What customers had in their accounts when onboarding went wrong, and the right result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from support.drifts import WEB, add_statement, adopted, log_bucket
from support.looks import reads, statements

from dt_logs_rehearsal.account import Account, Refused
from dt_logs_rehearsal.account.errors import client_error
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, new
from lifecycle.cases import Case, data
from lifecycle.cloudformation import properties


def with_half_a_character(account: Account) -> list[str]:
    """Add a policy statement in which a tool has cut a string inside a character."""
    arns = adopted(account)
    statement = {
        "Sid": "Cut",
        "Effect": "Allow",
        "Principal": {"AWS": account.account_id},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{CUSTOMERS}/\ud83d",
    }
    add_statement(account, CUSTOMERS, statement)
    return arns


def test_policy_with_half_a_character_keeps_it() -> None:
    case = Case(with_half_a_character)
    given = properties(case.arns[WEB])

    case.sent("Create", given)

    assert reads(case.account, case.arns[WEB])
    (theirs,) = (e for e in statements(case.account, CUSTOMERS) if e.get("Sid") == "Cut")
    assert theirs["Resource"] == f"arn:aws:s3:::{CUSTOMERS}/\ud83d"
    case.sent("Delete", given)
    assert case.left() == []


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-gov-west-1", "aws-us-gov"),
        ("cn-north-1", "aws-cn"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_stack_comes_and_goes_in_each_partition(region: str, partition: str) -> None:
    case = Case(new, region, partition)
    given = properties(*case.arns)

    case.sent("Create", given)

    assert reads(case.account, case.arns[0])
    topics = f"arn:{partition}:sns:{region}:123456789012:"
    assert case.topics() and all(each.startswith(topics) for each in case.topics())
    case.sent("Delete", given)
    assert case.left() == []


class Unreachable:
    """Makes S3 refuse notifications `times` times because of a destination, as recorded."""

    def __init__(self, destination: str, why: str, times: int = 1_000) -> None:
        self.named = {"ArgumentName1": destination, "ArgumentValue1": why}
        self.times = times
        self.calls = 0

    def __call__(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation == "PutBucketNotificationConfiguration":
            self.calls += 1
            if self.calls <= self.times:
                text = "Unable to validate the following destination configurations"
                raise client_error(operation, Refused("InvalidArgument", text, **self.named))


def test_destination_that_is_gone_is_named_at_once() -> None:
    queue = "arn:aws:sqs:eu-west-1:123456789012:gone"
    case = Case(adopted)
    case.before = gone = Unreachable(queue, "The destination queue does not exist")

    answer = case.send("Create", properties(case.arns[WEB]))

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(
        "S3 does not accept the notifications of bucket customers-logs: Unable to validate the"
        f" following destination configurations: {queue}: The destination queue does not exist."
    )
    assert gone.calls == 1


def test_topic_that_s3_does_not_see_yet_is_waited_for() -> None:
    topic = f"arn:aws:sns:eu-west-1:123456789012:dt-logs-analysis-1-{CUSTOMERS}"
    case = Case(adopted)
    case.before = Unreachable(topic, "Permissions on the destination topic", times=3)

    case.sent("Create", properties(case.arns[WEB]))

    assert reads(case.account, case.arns[WEB])


def notified(count: int) -> Callable[[Account], list[str]]:
    """Return a function that adds a bucket with `count` notifications, and an ALB for it."""

    def prepare(account: Account) -> list[str]:
        queue = "arn:aws:sqs:eu-west-1:123456789012:full"
        account.add_destination(queue)
        log_bucket(account, "full")
        entries: Any = [
            {
                "Id": str(number),
                "QueueArn": queue,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": f"{number}/"}]}},
            }
            for number in range(count)
        ]
        account.s3.put_bucket_notification_configuration(
            Bucket="full", NotificationConfiguration={"QueueConfigurations": entries}
        )
        return [
            account.add_load_balancer("web", bucket="full", prefix="alb"),
            account.add_load_balancer("shop"),
        ]

    return prepare


def test_hundredth_notification_is_taken() -> None:
    case = Case(notified(99))
    case.sent("Create", properties(*case.arns))
    case.sent("Update", properties(*case.arns, RunToken="2"), properties(*case.arns))


def test_limit_of_notifications_is_named_before_anything_is_changed() -> None:
    case = Case(notified(100))

    answer = case.send("Create", properties(*case.arns))

    assert answer["Reason"] == (
        "Bucket full has 100 notifications already, the most that S3 takes."
        " Remove some, then run the stack again."
    )
    assert case.left() == []
    told = data(case.sent("Create", properties("*")), "NotOnboarded")
    assert "Bucket full has 100 notifications already" in told
    assert reads(case.account, case.arns[1])


def test_vendor_that_does_not_exist_is_named_with_the_other_candidates() -> None:
    case = Case(adopted)
    closed = "arn:aws:iam::555566667777:root"
    others = {
        "Sid": "Others",
        "Effect": "Allow",
        "Principal": {"AWS": [closed, "123456789012"]},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{CUSTOMERS}/*",
    }
    case.customer(lambda account: add_statement(account, CUSTOMERS, others))
    case.account.world.unknown_principals.add("arn:aws:iam::999988887777:root")

    answer = case.send("Create", properties(case.arns[WEB]))

    assert answer["Reason"] == (
        "S3 does not accept the policy of bucket customers-logs: Invalid principal in policy."
        " Correct DataTheoremAccountId, or remove the principal that does not exist"
        " (arn:aws:iam::123456789012:root, arn:aws:iam::222233334444:root,"
        " arn:aws:iam::333344445555:root, arn:aws:iam::555566667777:root,"
        " arn:aws:iam::999988887777:root), then run the stack again."
        " What this run has set up stays until the stack is rolled back or deleted."
    )
    assert case.left() == []


def announced_below(count: int) -> Callable[[Account], list[str]]:
    """Return a function that adds ALBs with `count` prefixes, which a foreign topic announces."""

    def prepare(account: Account) -> list[str]:
        announced(account)
        return [
            *(
                account.add_load_balancer(f"alb{number}", bucket=CUSTOMERS, prefix=str(number))
                for number in range(count)
            ),
            account.add_load_balancer("shop"),
        ]

    return prepare


def test_nine_locations_fit_into_one_filter() -> None:
    case = Case(announced_below(9))
    case.sent("Create", properties(*case.arns))
    assert all(reads(case.account, each) for each in case.arns)


def test_too_many_locations_for_one_filter_are_refused_by_name() -> None:
    case = Case(announced_below(10))

    answer = case.send("Create", properties(*case.arns))

    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith(f"Bucket {CUSTOMERS} has 10 access-log prefixes, and a")
    assert case.left() == []
    everything = properties("*")
    told = data(case.sent("Create", everything), "NotOnboarded")
    assert "has 11 access-log prefixes" in told  # another load balancer logs there, too
    assert [each for each in case.arns if reads(case.account, each)] == case.arns[-1:]
    case.sent("Delete", everything)
    assert case.left() == []


def test_a_bucket_with_abac_keeps_its_tags_and_fails_nothing() -> None:
    """ABAC makes S3 refuse the only call by which the role may put tags."""
    case = Case(new)
    first, second = (properties(*case.arns, ResourceTags=[f"team={each}"]) for each in "ab")
    case.sent("Create", first)
    (bucket,) = case.account.world.buckets.values()
    bucket.abac = "Enabled"

    answer = case.sent("Update", second, first)

    assert "ABAC" in answer["Data"]["Warnings"]
    assert dict(bucket.tags)["team"] == "a"
    case.sent("Update", first, second)
    case.sent("Delete", first)
    assert case.left() == []
