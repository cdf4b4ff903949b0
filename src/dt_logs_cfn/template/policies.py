"""The policies that a release publishes as files, to read and to paste."""

from typing import Any

from dt_logs_cfn.template.execution_policies import (
    PolicyLimits,
    documented,
    least_privilege,
    own_bucket,
)
from dt_logs_cfn.template.service_policies import service_role_policy, service_role_trust
from dt_logs_cfn.template.statements import PolicyTarget, plain

POLICY_NAMES = (
    "cloudformation-role-documented",
    "cloudformation-role-lifecycle",
    "cloudformation-role-trust",
    "lambda-execution-documented",
    "lambda-execution-least-privilege",
)


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
    """Return the policy `name` as plain data, with a placeholder for each value not given.

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
    documents = {
        "cloudformation-role-documented": service_role_policy("documented", role, function),
        "cloudformation-role-lifecycle": service_role_policy(
            "lifecycle", role, function, [group, f"{group}:*"], [rule]
        ),
        "cloudformation-role-trust": service_role_trust(),
        "lambda-execution-documented": documented(place),
        "lambda-execution-least-privilege": least_privilege(place, limits),
    }
    return plain(documents[name])
