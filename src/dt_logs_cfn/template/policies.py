"""Make the policies that a release publishes, and explain each permission of the Lambda."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import awacs.s3
from awacs.aws import Action, PolicyDocument

from dt_logs_cfn.template.grants import GRANTS
from dt_logs_cfn.template.role_policies import (
    PolicyLimits,
    PolicyTarget,
    documented,
    least_privilege,
    own_bucket,
    plain,
    service_role_policy,
    service_role_trust,
)
from dt_logs_handler.documents import texts

POLICY_NAMES = (
    "cloudformation-role-documented",
    "cloudformation-role-lifecycle",
    "cloudformation-role-trust",
    "lambda-execution-documented",
    "lambda-execution-least-privilege",
)

# The least-privilege policy does not allow these. Security teams are likely to ask about them.
REFUSED = (
    "reading any object: without s3:GetObject, the function cannot read a log",
    "writing or deleting an object, except Elastic Load Balancing's test file",
    "changing the policy or the notifications of another account's bucket: aws:ResourceAccount must"
    " be the stack's own account. Creating, securing and deleting a bucket has no such condition,"
    " but is limited to names of the function's pattern, which contain the account ID",
    "deleting any bucket except LogBucketName and those that the function named",
    "subscribing anyone but the vendor's endpoint: sns:Endpoint and sns:Protocol prevent it",
    "publishing to a topic, or changing a topic's policy",
    "changing a network or gateway load balancer, or one in another region",
    "anything in IAM, Lambda, STS or KMS: it cannot extend its own permissions",
    "creating a log group, or writing to one that is not its own",
)
OPEN = (
    "whoever may write a bucket's policy can open that bucket: IAM cannot limit what a policy"
    " says. ExistingLogBucketNames narrows this to the buckets that you name",
    "IAM has no resource for a subscription: sns:Unsubscribe and sns:SetSubscriptionAttributes"
    " apply to every subscription of the account",
    "every application load balancer of the account and region may be changed, not only those that"
    " you name: if one leaves the stack, its logging is turned off after the role has changed",
)


@dataclass(frozen=True)
class Right:
    """An action of the least-privilege role: its resources, condition, step and reason."""

    action: str
    on: tuple[str, ...]
    condition: str
    step: str
    why: str


@dataclass(frozen=True)
class Use:
    """An action of the documented role, and the steps that use it, if any."""

    action: str
    on: str
    steps: tuple[str, ...]


def policy_document(
    name: str,
    *,
    partition: str = "aws",
    region: str = "${Region}",
    account: str = "${Account}",
    role_name: str = "${RoleNameWithPath}",
    function_name: str = "${FunctionName}",
    log_group_name: str = "${LogGroupName}",
    rule_name: str = "${RuleName}",
    stack_name: str = "${StackName}",
    notification_endpoint: str = "${NotificationEndpoint}",
) -> dict[str, Any]:
    """Return the policy `name` as plain data, by default for partition aws and with placeholders.

    `role_name` includes the role's path, without the leading slash. Raises KeyError for a name that
    is not in POLICY_NAMES.
    """
    place = PolicyTarget(partition, region, account)
    role = place.arn("iam", f"role/{role_name}")
    function = place.arn("lambda", f"function:{function_name}")
    group = place.arn("logs", f"log-group:{log_group_name}")
    rule = place.arn("events", f"rule/{rule_name}")
    limits = PolicyLimits(
        log_group=f"{group}:*",
        endpoint=notification_endpoint,
        account=account,
        own_buckets=[own_bucket(place)],
        log_buckets=[place.arn("s3", "*")],
        stack=place.arn("cloudformation", f"stack/{stack_name}/*"),
    )
    make: dict[str, Callable[[], PolicyDocument]] = {
        "cloudformation-role-documented": lambda: service_role_policy("documented", role, function),
        "cloudformation-role-lifecycle": lambda: service_role_policy(
            "lifecycle", role, function, [group, f"{group}:*"], [rule]
        ),
        "cloudformation-role-trust": service_role_trust,
        "lambda-execution-documented": lambda: documented(place),
        "lambda-execution-least-privilege": lambda: least_privilege(place, limits),
    }
    return plain(make[name]())


def rights() -> list[Right]:
    """Return every permission of the least-privilege role, in the order of the steps."""
    statements = policy_document("lambda-execution-least-privilege")["Statement"]
    return [
        Right(
            action,
            tuple(texts(each["Resource"])),
            _condition(each.get("Condition", {})),
            grant.step,
            grant.why,
        )
        for grant in GRANTS
        for action in grant.actions
        for each in statements
        if action in texts(each["Action"])
    ]


def uses() -> list[Use]:
    """Return every action of the documented role, with the handler's steps that use the action."""
    return [
        Use(action, str(statement["Resource"]), _steps(action))
        for statement in policy_document("lambda-execution-documented")["Statement"]
        for action in texts(statement["Action"])
    ]


def s3_actions() -> tuple[int, int]:
    """Return how many S3 actions awacs knows (`s3:*` allows them all), and how many we use."""
    known = [each for each in vars(awacs.s3).values() if isinstance(each, Action)]
    used = {action for grant in GRANTS for action in grant.actions if action.startswith("s3:")}
    return len(known), len(used)


def _steps(action: str) -> tuple[str, ...]:
    if action == "logs:CreateLogGroup":  # the least-privilege stack itself creates the log group
        return ("Lambda creates the function's log group",)
    found = (grant.step for grant in GRANTS for each in grant.actions if fnmatchcase(each, action))
    return tuple(dict.fromkeys(found))


def _condition(condition: dict[str, dict[str, Any]]) -> str:
    return " and ".join(
        f"{key} is {' or '.join(texts(value))}"
        for keys in condition.values()
        for key, value in keys.items()
    )
