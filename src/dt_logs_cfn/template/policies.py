"""The policies that a release publishes for people to read and to paste."""

from typing import Any

from awacs.aws import PolicyDocument

from dt_logs_cfn.template import execution_policies, service_policies
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
    """Return one of POLICY_NAMES, with a placeholder for each value that is not given.

    The role's name comes with its path, without the slash in front. Raises KeyError for another
    name.
    """
    place = PolicyTarget(partition, region, account)
    role = place.arn("iam", f"role/{role_name}")
    function = place.arn("lambda", f"function:{function_name}")
    group = place.arn("logs", f"log-group:{log_group_name}")
    limits = execution_policies.PolicyLimits(
        log_group=f"{group}:*",
        endpoint=notification_endpoint,
        account=account,
        own_buckets=[execution_policies.own_bucket(place)],
        log_buckets=[place.arn("s3", "*")],
        stack=place.arn("cloudformation", f"stack/{stack_name}/*"),
    )
    rule = place.arn("events", f"rule/{rule_name}")
    return plain(_policy(name, place, role, function, group, rule, limits))


def _policy(
    name: str,
    place: PolicyTarget,
    role: str,
    function: str,
    group: str,
    rule: str,
    limits: execution_policies.PolicyLimits,
) -> PolicyDocument:
    match name:
        case "cloudformation-role-trust":
            return service_policies.service_role_trust()
        case "cloudformation-role-documented":
            return service_policies.service_role_policy("documented", role, function)
        case "cloudformation-role-lifecycle":
            groups = [group, f"{group}:*"]
            return service_policies.service_role_policy("lifecycle", role, function, groups, [rule])
        case "lambda-execution-documented":
            return execution_policies.documented(place)
        case "lambda-execution-least-privilege":
            return execution_policies.least_privilege(place, limits)
    raise KeyError(name)
