"""What each right of the Lambda is for, and what it may not do: data, for people and programs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import awacs.s3
from awacs.aws import Action

from dt_logs_cfn.template.policies import policy_document
from dt_logs_handler.grants import GRANTS

_LEAST = "lambda-execution-least-privilege"
_DOCUMENTED = "lambda-execution-documented"

# What a security team asks about first; no statement of the policy allows it.
REFUSED = (
    "reading any object: no s3:GetObject, so the function cannot read a log",
    "deleting or writing an object, but for the test file that Elastic Load Balancing wrote",
    "changing the policy or the notifications of another account's bucket: aws:ResourceAccount has"
    " to be the stack's own. Making, securing and deleting a bucket has no such condition, and"
    " holds for names of the function's pattern alone, with this account's number in them",
    "deleting a bucket that has another name than those the function gives, or LogBucketName",
    "subscribing anybody but the vendor's endpoint: sns:Endpoint and sns:Protocol say who",
    "publishing to a topic, or changing a topic's policy",
    "changing a network or gateway load balancer, or one of another region",
    "anything in IAM, Lambda, STS or KMS: it cannot raise its own rights",
    "making a log group, or writing to one that is not its own",
)
OPEN = (
    "who may put a bucket's policy may open that bucket: IAM cannot limit what a policy says."
    " ExistingLogBucketNames narrows it to buckets that you name",
    "a subscription has no resource of its own in IAM: sns:Unsubscribe and"
    " sns:SetSubscriptionAttributes hold for every subscription of the account",
    "load balancers are scoped as all application load balancers of account and region, since one"
    " that leaves the stack has to be switched off after the role has changed",
)


@dataclass(frozen=True)
class Right:
    """An action of the least-privilege role: on what, under which condition, for which step."""

    action: str
    on: tuple[str, ...]
    condition: str
    step: str
    why: str


@dataclass(frozen=True)
class Use:
    """An action of the documented role, and the steps that use it; none where it is not needed."""

    action: str
    on: str
    steps: tuple[str, ...]


def rights() -> list[Right]:
    """Return every right of the least-privilege role, in the order of the steps."""
    found = _by_action(_statements(_LEAST))
    return [
        Right(action, on, condition, grant.step, grant.why)
        for grant in GRANTS
        for action in grant.actions
        for on, condition in found[action]
    ]


def uses() -> list[Use]:
    """Return every action of the documented role, and what of it the handler uses."""
    return [
        Use(action, str(statement["Resource"]), _steps(action))
        for statement in _statements(_DOCUMENTED)
        for action in _listed(statement["Action"])
    ]


def s3_actions() -> tuple[int, int]:
    """Return how many actions `s3:*` allows, of those that awacs knows, and how many are used."""
    known = [each for each in vars(awacs.s3).values() if isinstance(each, Action)]
    used = {action for grant in GRANTS for action in grant.actions if action.startswith("s3:")}
    return len(known), len(used)


def _steps(action: str) -> tuple[str, ...]:
    if action == "logs:CreateLogGroup":  # in the least-privilege template the stack makes it
        return ("Lambda makes the function's log group",)
    if action.endswith("*"):
        start = action[:-1]
        found = [each.step for each in GRANTS if any(a.startswith(start) for a in each.actions)]
        return tuple(dict.fromkeys(found))
    return tuple(each.step for each in GRANTS if action in each.actions)


def _statements(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = policy_document(name)["Statement"]
    return found


def _by_action(
    statements: Iterable[dict[str, Any]],
) -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """Return each action's resources and conditions."""
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for statement in statements:
        on = tuple(_listed(statement["Resource"]))
        condition = _condition(statement.get("Condition", {}))
        for action in _listed(statement["Action"]):
            found.setdefault(action, []).append((on, condition))
    return found


def _condition(condition: dict[str, dict[str, Any]]) -> str:
    return " and ".join(
        f"{key} is {' or '.join(_listed(value))}"
        for keys in condition.values()
        for key, value in keys.items()
    )


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
