"""Define the templates' parameters, and the patterns with which CloudFormation checks values.

CloudFormation matches a pattern against a whole value, or against each item of a list (an empty
list has one empty item). It uses Java's regular expressions; ours mean the same in Python. The
handler checks every value again, because the template of an older stack may have other patterns.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from troposphere import Equals, Join, Not, Parameter, Ref

from dt_logs_cfn.settings import Privileges, Vendor
from dt_logs_handler.names import (
    ACCOUNT_ID,
    ARN,
    BUCKET_NAME,
    EVERY_LOAD_BALANCER,
    HTTPS_URL,
    LOAD_BALANCER_ARN,
    NAME,
    QUEUE_ARN,
)
from dt_logs_handler.request import ReadScope

_LIST, _SCHEDULE = "CommaDelimitedList", "RefreshSchedule"
_TAG = r"(?![Aa][Ww][Ss]:)[^=]{1,128}=.{0,256}"
# Only the characters that IAM allows in names: others, like `*`, may have a meaning in an ARN.
_PATH = "/([A-Za-z0-9+=,.@_-]+/)*"
# EventBridge requires a singular unit after 1 [EventBridge guide, schedule expressions].
_RATE = r"rate\((1 (hour|day)|([2-9]|[1-9][0-9]{1,3}) (hours|days))\)"
_BOUNDARY = rf"{ARN}:iam::({ACCOUNT_ID}|aws):policy/[!-~]+"

# The groups of parameters in CloudFormation's console. The console shows the other parameters,
# which few customers need, in a separate group.
Groups = Mapping[str, tuple[str, ...]]
STACK_GROUPS: Groups = {
    "What Data Theorem sent you": ("DataTheoremAccountId", "NotificationEndpoint"),
    "What to onboard": (
        "LoadBalancerArns",
        "LogBucketName",
        "LogRetentionDays",
        "RefreshSchedule",
        "VendorReadScope",
        "ExistingLogBucketNames",
        "ResourceTags",
        "RunToken",
    ),
}
SERVICE_ROLE_GROUPS: Groups = {
    "Which stacks the role may manage": ("StackNamePrefix",),
    "Names that these stacks choose": (
        "LambdaExecutionRoleName",
        "LambdaExecutionRolePath",
        "LambdaFunctionName",
    ),
    "If your account has rules for roles": ("PermissionsBoundaryArn",),
}


def _properties(
    description: str,
    pattern: str = "",
    constraint: str = "",
    default: str | None = "",
    **more: object,
) -> Mapping[str, Any]:
    """Return a parameter's properties; with a default of None, a value is required."""
    if pattern:
        more |= {"AllowedPattern": f"^{pattern}$", "ConstraintDescription": constraint}
    if default is not None:
        more["Default"] = default
    return {"Type": "String", "Description": description, **more}


def _boundary(whom: str) -> Mapping[str, Any]:
    what = f"The permissions boundary of {whom}, if you need one."
    return _properties(what, f"({_BOUNDARY})?", "A policy's ARN.")


_NAMES = {
    "LambdaExecutionRoleName": _properties(
        "Empty: CloudFormation chooses.", "[A-Za-z0-9+=,.@_-]{0,64}", "A role name."
    ),
    "LambdaExecutionRolePath": _properties(
        "Starts and ends with a slash.", _PATH, "Like / or /teams/logs/.", "/", MaxLength=512
    ),
    "LambdaFunctionName": _properties(
        "Empty: CloudFormation chooses. To change it, recreate the stack.",
        "[A-Za-z0-9_-]{0,64}",
        "A function name.",
    ),
}
# The parameters that the custom resource passes on to the handler.
_PASSED_ON = {
    "DataTheoremAccountId": _properties(
        "The AWS account that may read the logs.", ACCOUNT_ID, "12 digits.", None
    ),
    "NotificationEndpoint": _properties(
        "Where new logs are announced.",
        f"({HTTPS_URL}|{QUEUE_ARN})",
        "An https URL, or a standard SQS queue's ARN.",
        None,
        MaxLength=2048,
    ),
    "LoadBalancerArns": _properties(
        "Application load balancers of this account and region; * for all.",
        rf"(\{EVERY_LOAD_BALANCER}|{LOAD_BALANCER_ARN})",
        "ARNs (arn:...:loadbalancer/app/NAME/ID), or *.",
        None,
        Type=_LIST,
    ),
    "VendorReadScope": _properties(
        "If the log location is shared: LoadBalancer grants only your load balancers' logs,"
        " Location all.",
        default=ReadScope.LOAD_BALANCER.value,
        AllowedValues=[scope.value for scope in ReadScope],
    ),
    "ResourceTags": _properties(
        "Tags for what the Lambda creates.",
        f"({_TAG})?",
        "key=value,key=value; no key starts with aws:.",
        Type=_LIST,
    ),
    "RunToken": _properties("Change it to run the Lambda again.", MaxLength=128),
    "LogBucketName": _properties(
        "For load balancers without a log bucket; created if missing. Empty: we choose a name.",
        f"({BUCKET_NAME})?",
        "A bucket name.",
    ),
    "LogRetentionDays": {
        "Type": "Number",
        "Description": "Days to keep logs in a bucket that we create.",
        "MinValue": 1,
        "MaxValue": 36500,
        "Default": 30,
    },
    "ExistingLogBucketNames": _properties(
        "The only existing buckets that the Lambda may use. Empty: any log bucket.",
        "([A-Za-z0-9._-]{3,255})?",
        "Bucket names.",
        Type=_LIST,
    ),
}
_STACK = {
    **_PASSED_ON,
    _SCHEDULE: _properties(
        "How often the Lambda adds new load balancers and repairs overwritten settings.",
        f"({_RATE})?",
        "rate(1 hour/day), rate(N hours/days); empty: never.",
    ),
    **_NAMES,
    "PermissionsBoundaryArn": _boundary("the Lambda's role"),
}
_SERVICE_ROLE = {
    "StackNamePrefix": _properties(
        "The names of the stacks that this role may manage start with it.",
        "[A-Za-z][A-Za-z0-9-]{3,19}",  # a shorter prefix would cover too many other roles
        "4 to 20 letters, digits and hyphens.",
        NAME,
    ),
    **_NAMES,
    "PermissionsBoundaryArn": _boundary("this role"),
}
PASSED_ON = tuple(_PASSED_ON)


def stack_parameters(default: Vendor | None, privileges: Privileges) -> list[Parameter]:
    """Return a stack's parameters; `default` gives the defaults of the account and the endpoint.

    Only the least-privilege template has RefreshSchedule.
    """
    vendor = default or Vendor("aws")
    found = {
        "DataTheoremAccountId": vendor.vendor_account_id,
        "NotificationEndpoint": vendor.notification_endpoint,
    }
    defaults = {name: {"Default": value} for name, value in found.items() if value}
    least = privileges is Privileges.LEAST_PRIVILEGE
    return [
        _parameter(name, {**each, **defaults.get(name, {})})
        for name, each in _STACK.items()
        if least or name != _SCHEDULE
    ]


def service_role_parameters() -> list[Parameter]:
    """Return the parameters of the service role's template."""
    return [_parameter(name, each) for name, each in _SERVICE_ROLE.items()]


def interface(groups: Groups, parameters: Sequence[str]) -> dict[str, Any]:
    """Return the metadata AWS::CloudFormation::Interface: groups of these parameters, in order."""
    return {
        "ParameterGroups": [
            {
                "Label": {"default": title},
                "Parameters": [name for name in names if name in parameters],
            }
            for title, names in groups.items()
        ]
    }


def condition(parameter: Parameter) -> Any:
    """Return the condition that a parameter is not empty; an empty list has one empty item."""
    value = Ref(parameter.title)
    return Not(Equals(Join("", value) if parameter.Type == _LIST else value, ""))


def _parameter(name: str, properties: Mapping[str, Any]) -> Parameter:
    """Return a new parameter; changing it does not change our tables."""
    return Parameter(name, **deepcopy(dict(properties)))
