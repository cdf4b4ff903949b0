"""Run a stack's whole life under its role's policies, which a test can alter."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.cloudformation import Properties, properties
from lifecycle.faults import error
from lifecycle.scenarios import QUEUE, SCENARIOS, Answer, Case, Prepare, Scenario, role
from support.drifts import encrypted_by_kms, owned_by_writers

from dt_logs_rehearsal.account import Account, Refused
from dt_logs_rehearsal.account.iam.access import authorise
from dt_logs_rehearsal.account.iam.rights import needed
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, customers_bucket, new

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
    prepare: Prepare
    first: Callable[[list[str]], Properties]
    second: Callable[[list[str]], Properties]
    meanwhile: Callable[[Case], object] | None = None
    scheduled: bool = False


def _moved(case: Case) -> None:
    """Move the load balancer's logs to another bucket, as a customer does by hand."""

    def move(account: Account) -> None:
        account.add_bucket("elsewhere-logs")
        account.world.load_balancers[case.arns[0]].attributes |= {
            "access_logs.s3.bucket": "elsewhere-logs",
            "access_logs.s3.prefix": "",
        }

    case.customer(move)


def _loosened(case: Case) -> None:
    """Change the bucket that the stack made, as a customer's other tools may."""
    (name,) = case.account.world.buckets
    owned_by_writers(case.account, name)
    case.account.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={})
    encrypted_by_kms(case.account, name)


def _wiped(case: Case) -> None:
    """Remove the notifications, as a tool does that knows only its own configuration."""
    (name,) = case.account.world.buckets
    case.account.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})


def _alone(account: Account) -> list[str]:
    """Add one load balancer with its own bucket, which nothing names once the logs move."""
    customers_bucket(account)
    return [account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb")]


def _two_places(account: Account) -> list[str]:
    return [*announced(account), account.add_load_balancer("shop", bucket=CUSTOMERS, prefix="shop")]


def _bare(account: Account) -> list[str]:
    account.add_bucket("bare-logs")
    return new(account)


def _all(**changed: object) -> Callable[[list[str]], Properties]:
    return lambda arns: properties(*arns, **changed)


def _of(scenario: Scenario) -> Life:
    def first(arns: list[str]) -> Properties:
        return scenario.before(arns) or scenario.after(arns) or {}

    def second(arns: list[str]) -> Properties:
        return scenario.after(arns) or scenario.before(arns) or {}

    return Life(scenario.name, scenario.prepare, first, second)


BARE = _all(LogBucketName="bare-logs")
TAGGED = _all(ResourceTags=["team=edge"])
TOPIC = {"NotificationEndpoint": QUEUE}
LIVES = (
    *map(_of, SCENARIOS),
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
LEAST = tuple(each for each in LIVES if "documented" not in each.name)


class Wrong(Exception):
    """An event failed, or left something behind."""


class Lived(Case):
    """A life under an altered role: the actions that it used, and what went wrong first."""

    def __init__(self, life: Life, alter: Alter = unaltered) -> None:
        super().__init__(life.prepare)
        self.life, self.alter = life, alter
        self.first, self.second = life.first(self.arns), life.second(self.arns)
        self.used: set[str] = set()
        self.before = self._hear
        self.wrong = ""
        try:
            self._live()
        except Wrong as wrong:
            self.wrong = str(wrong)

    def _live(self) -> None:
        self.sent("Create", self.first)
        created = self.account.snapshot()
        if self.life.meanwhile:
            self.life.meanwhile(self)
        if self.life.scheduled:
            self._refreshed()
        if self.second != self.first:  # otherwise, there is no Update
            self.sent("Update", self.second, self.first)
            self._tidied(self.sent("Update", self.first, self.second))
        if self.life.scheduled or not self.life.meanwhile:
            _none(self.differs(created))
        answer = self.sent("Delete", self.first)
        _none(self.left(), str(answer["Reason"]))

    def sent(self, kind: str, given: Properties, old: Properties | None = None) -> Answer:
        """Send an event under the role for its properties; CloudFormation sets the role first."""
        self.role = self.alter(copy.deepcopy(role(given, self.account)))
        answer = self.send(kind, given, old)
        told = f"{answer['Reason']} {answer['Data']}"
        if answer["Status"] != "SUCCESS":
            raise Wrong(f"{kind} failed: {told}")
        if "AccessDenied" in told:  # an Update reports a denied repair
            raise Wrong(f"{kind} left something: {told}")
        return answer

    def _tidied(self, answer: Answer) -> None:
        """Remove the bucket that the role no longer covers, as the warning says."""
        bucket = str(self.second["LogBucketName"])
        if bucket and bucket != self.first["LogBucketName"]:
            if f"aws s3 rb s3://{bucket}" not in str(answer["Data"]):
                raise Wrong(f"not told: {bucket}")
            self.delete_bucket(bucket)

    def _hear(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        call = Call(service, operation, params, self.account.caller(), self.account.region)
        self.used.update(each.action for each in needed(call, self.account.partition))

    def _refreshed(self) -> None:
        """Run the function as its schedule does, under the role of a stack with a schedule."""
        self.stack.becomes("CREATE_COMPLETE", self.first)
        scheduled = {**self.first, "RefreshSchedule": "rate(1 day)"}
        self.role = self.alter(copy.deepcopy(role(scheduled, self.account, self.stack.id)))
        caller, asked = self.account.caller(self.role), {"StackName": self.stack.id}
        call = Call("cloudformation", "DescribeStacks", asked, caller, self.account.region)

        def allowed() -> None:
            self.used.add("cloudformation:DescribeStacks")
            try:
                authorise(self.account.world, call)
            except Refused as refused:
                raise error(refused.code, call.operation, refused.message) from refused

        line = self.stack.refresh(self.clients, allowed=allowed)
        if line["outcome"] != "in step":
            raise Wrong(f"Refresh failed: {line['what']}")


def _none(left: list[str], told: str = "") -> None:
    if left:
        raise Wrong(f"left behind: {left[0]}; told: {told}")


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
