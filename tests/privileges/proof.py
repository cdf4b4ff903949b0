"""Run a stack's whole life under its role's policies, which a test can alter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from lifecycle.cloudformation import Properties, Stack, properties
from lifecycle.scenarios import QUEUE, SCENARIOS
from lifecycle.test_privileges import role

from dt_logs_rehearsal.account import Account, Clock, Refused
from dt_logs_rehearsal.account.iam.access import authorise
from dt_logs_rehearsal.account.iam.rights import needed
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, customers_bucket, new
from dt_logs_rehearsal.scenarios.differences import differences

Policies = list[Any]
Alter = Callable[[Policies], Policies]


def unaltered(policies: Policies) -> Policies:
    """Return the role's policies as the template makes them."""
    return policies


@dataclass(frozen=True)
class Life:
    """A stack's life: created as `first`, updated to `second` and back, and deleted.

    `meanwhile` makes the customer's changes after the Create. If the life is `scheduled`, a refresh
    repairs them.
    """

    name: str
    prepare: Callable[[Account], list[str]]
    first: Callable[[list[str]], Properties]
    second: Callable[[list[str]], Properties]
    meanwhile: Callable[[Account, list[str]], None] = lambda account, arns: None
    scheduled: bool = False


@dataclass
class Lived:
    """The result of a life: the actions that were used, and the first wrong answer or leftover."""

    used: set[str] = field(default_factory=set)
    wrong: str = ""


def _moved(account: Account, arns: list[str]) -> None:
    """Move the load balancer's logs to another bucket, as a customer does by hand."""
    account.add_bucket("elsewhere-logs")
    account.world.load_balancers[arns[0]].attributes |= {
        "access_logs.s3.bucket": "elsewhere-logs",
        "access_logs.s3.prefix": "",
    }


def _loosened(account: Account, arns: list[str]) -> None:
    """Change the bucket that the stack made, as a customer's other tools may."""
    (name,) = account.world.buckets
    account.s3.put_bucket_ownership_controls(
        Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    account.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    account.s3.put_bucket_encryption(
        Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )


def _wiped(account: Account, arns: list[str]) -> None:
    """Remove the notifications, as a tool does that knows only its own."""
    (name,) = account.world.buckets
    account.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})


def _alone(account: Account) -> list[str]:
    """Add one load balancer with its own bucket, to which nothing points once its logs move."""
    customers_bucket(account)
    return [account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb")]


def _two_places(account: Account) -> list[str]:
    return [*announced(account), account.add_load_balancer("shop", bucket=CUSTOMERS, prefix="shop")]


def _bare(account: Account) -> list[str]:
    account.add_bucket("bare-logs")
    return new(account)


def _all(**changed: object) -> Callable[[list[str]], Properties]:
    return lambda arns: properties(*arns, **changed)


BARE = _all(LogBucketName="bare-logs")
TAGGED = _all(ResourceTags=["team=edge"])
TOPIC = {"NotificationEndpoint": QUEUE}
# Lives that the life cycle's scenarios do not cover.
EXTRA = (
    Life("moved by hand", _alone, _all(), _all(), _moved),
    Life("loosened by hand", new, _all(), _all(RunToken="again"), _loosened),
    Life("a bucket without a policy", _bare, BARE, BARE),
    Life("tagged from the start", new, TAGGED, TAGGED),
    Life("put right by its schedule", new, _all(), _all(), _wiped, scheduled=True),
    Life(
        "a second place on a foreign topic",
        _two_places,
        lambda arns: properties(*arns[:2], **TOPIC),
        _all(**TOPIC),
    ),
)


def _of(scenario: Any) -> Life:
    def first(arns: list[str]) -> Properties:
        found: Properties = scenario.before(arns) or scenario.after(arns)
        return found

    def second(arns: list[str]) -> Properties:
        found: Properties = scenario.after(arns) or scenario.before(arns)
        return found

    return Life(scenario.name, scenario.prepare, first, second)


LIVES = (*(_of(each) for each in SCENARIOS if "documented" not in each.name), *EXTRA)


def live(life: Life, alter: Alter = unaltered) -> Lived:
    """Run a stack's life under its altered role; stop at the first thing that is wrong."""
    account = Account("123456789012", "eu-west-1", clock=(clock := Clock()))
    arns = life.prepare(account)
    stack, lived = Stack(clock, seed=1), Lived()
    start = account.snapshot()
    first, second = life.first(arns), life.second(arns)
    there_and_back = (("Update", second, first), ("Update", first, second))
    for kind, given, old in (
        ("Create", first, None),
        *(there_and_back if second != first else ()),  # an Update needs a change
        ("Delete", first, None),
    ):
        told = _sent(account, stack, lived, kind, given, old, alter)
        if lived.wrong:
            return lived
        if kind == "Create":
            created = account.snapshot()
            life.meanwhile(account, arns)
            if life.scheduled:
                _refreshed(account, stack, lived, given, alter)
                left = differences(created, account.snapshot())
                lived.wrong = lived.wrong or "".join(left[:1])
            if life.meanwhile is _moved:
                start = _with(start, account, arns)
        other = str(second["LogBucketName"])
        if other and f"aws s3 rb s3://{other}" in told:  # the role no longer covers this bucket
            account.s3.delete_bucket(Bucket=other)
    left = differences(start, account.snapshot())
    lived.wrong = f"left behind: {left[0]}; told: {told}" if left else ""
    return lived


def _with(start: dict[str, Any], account: Account, arns: list[str]) -> dict[str, Any]:
    """Return the snapshot `start` with the customer's later changes."""
    now = account.snapshot()
    return {
        **start,
        "buckets": {**start["buckets"], "elsewhere-logs": now["buckets"]["elsewhere-logs"]},
        "load_balancers": {**start["load_balancers"], arns[0]: now["load_balancers"][arns[0]]},
    }


def _sent(
    account: Account,
    stack: Stack,
    lived: Lived,
    kind: str,
    given: Properties,
    old: Properties | None,
    alter: Alter,
) -> str:
    caller = account.caller(alter(json.loads(json.dumps(role(given, account)))))
    answer = stack.send(stack.event(kind, given, old), _clients(account, lived, caller))
    told = f"{answer.get('Reason')} {answer.get('Data')}"
    if answer["Status"] != "SUCCESS":
        lived.wrong = f"{kind} failed: {answer['Reason']}"
    elif "AccessDenied" in told:  # an Update reports a denied repair
        lived.wrong = f"{kind} left something: {told}"
    return told


def _clients(account: Account, lived: Lived, caller: Any) -> Callable[[], Any]:
    """Return a function that creates a role's clients, which record the actions that are used."""

    def heard(service: str, operation: str, params: Mapping[str, Any]) -> None:
        call = Call(service, operation, params, caller, account.region)
        lived.used.update(each.action for each in needed(call, account.partition))

    services = ("elbv2", "s3", "sns")
    return lambda: tuple(account.client(e, caller=caller, before=heard) for e in services)


def _refreshed(
    account: Account, stack: Stack, lived: Lived, given: Properties, alter: Alter
) -> None:
    """Run the function as its schedule does, under the role of a stack with a schedule."""
    stack.becomes("CREATE_COMPLETE", given)
    scheduled = {**given, "RefreshSchedule": "rate(1 day)"}
    caller = account.caller(alter(json.loads(json.dumps(role(scheduled, account, stack.id)))))
    call = Call("cloudformation", "DescribeStacks", {"StackName": stack.id}, caller, account.region)

    def allowed() -> None:
        lived.used.add("cloudformation:DescribeStacks")
        try:
            authorise(account.world, call)
        except Refused as refused:
            error: Any = {"Error": {"Code": refused.code, "Message": refused.message}}
            raise ClientError(error, call.operation) from refused

    line = stack.refresh(_clients(account, lived, caller), allowed=allowed)
    if line["outcome"] != "in step":
        lived.wrong = f"Refresh failed: {line['what']}"


def without(action: str) -> Alter:
    """Return an alteration that removes this action."""

    def altered(policies: Policies) -> Policies:
        for policy in policies:
            for statement in policy["Statement"]:
                actions = statement["Action"]
                listed = actions if isinstance(actions, list) else [actions]
                statement["Action"] = [each for each in listed if each != action] or ["none:None"]
        return policies

    return altered
