"""The templates' parameters: a customer's choices, and the values that CloudFormation refuses.

CloudFormation matches a pattern against a whole value, or against each item of a list (an empty
list has one empty item). Its regular expressions are Java's; ours mean the same in Python. The
handler checks every value again, because an older stack may send any value.
"""

from collections.abc import Mapping, Sequence
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

_LIST = "CommaDelimitedList"
_TAG = r"(?![Aa][Ww][Ss]:)[^=]{1,128}=.{0,256}"
# The characters that IAM allows, except those with a meaning in an ARN.
_PATH = "/([A-Za-z0-9+=,.@_-]+/)*"
# EventBridge requires the singular after 1 [EventBridge guide, schedule expressions].
_RATE = r"rate\((1 (hour|day)|([2-9]|[1-9][0-9]{1,3}) (hours|days))\)"
_BOUNDARY = rf"{ARN}:iam::({ACCOUNT_ID}|aws):policy/[!-~]+"

# The groups of parameters in CloudFormation's console. The console shows the other parameters,
# which few customers need, under its own title.
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
    "Which stacks the role may run": ("StackNamePrefix",),
    "Names that these stacks choose": (
        "LambdaExecutionRoleName",
        "LambdaExecutionRolePath",
        "LambdaFunctionName",
    ),
    "If your account has rules for roles": ("PermissionsBoundaryArn",),
}


def stack_parameters(default: Vendor | None, privileges: Privileges) -> list[Parameter]:
    """Return the parameters of a stack; a vendor's account and endpoint become defaults."""
    least = privileges is Privileges.LEAST_PRIVILEGE
    return [
        *_vendor(default),
        *_onboarding(),
        *_log_buckets(),
        *([_schedule()] if least else []),
        *_names(),
        _boundary("the Lambda's role"),
    ]


def service_role_parameters() -> list[Parameter]:
    """Return the parameters of the service role's template."""
    return [
        _parameter(
            "StackNamePrefix",
            "The names of the stacks that this role may run start with it.",
            "[A-Za-z][A-Za-z0-9-]{3,19}",  # a shorter prefix would cover too many other roles
            "4 to 20 letters, digits and hyphens.",
            NAME,
        ),
        *_names(),
        _boundary("this role"),
    ]


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
    """Return the condition that a parameter has a value; an empty list has one empty item."""
    value = Ref(parameter.title)
    return Not(Equals(Join("", value) if parameter.Type == _LIST else value, ""))


def _vendor(default: Vendor | None) -> list[Parameter]:
    return [
        _parameter(
            "DataTheoremAccountId",
            "The AWS account that may read the logs.",
            ACCOUNT_ID,
            "12 digits.",
            (default and default.vendor_account_id) or None,
        ),
        _parameter(
            "NotificationEndpoint",
            "Where new logs are announced.",
            f"({HTTPS_URL}|{QUEUE_ARN})",
            "An https URL, or a standard SQS queue's ARN.",
            (default and default.notification_endpoint) or None,
            MaxLength=2048,
        ),
    ]


def _onboarding() -> list[Parameter]:
    return [
        _parameter(
            "LoadBalancerArns",
            "Application load balancers of this account and region; * for all.",
            rf"(\{EVERY_LOAD_BALANCER}|{LOAD_BALANCER_ARN})",
            "ARNs (arn:...:loadbalancer/app/NAME/ID), or *.",
            None,
            Type=_LIST,
        ),
        Parameter(
            "VendorReadScope",
            Type="String",
            Description="If the log location is shared: LoadBalancer grants only your load"
            " balancers' logs, Location all.",
            AllowedValues=[scope.value for scope in ReadScope],
            Default=ReadScope.LOAD_BALANCER.value,
        ),
        _parameter(
            "ResourceTags",
            "Tags for what the Lambda creates.",
            f"({_TAG})?",
            "key=value,key=value; no key starts with aws:.",
            Type=_LIST,
        ),
        _parameter("RunToken", "Change it to run the Lambda again.", MaxLength=128),
    ]


def _log_buckets() -> list[Parameter]:
    return [
        _parameter(
            "LogBucketName",
            "For load balancers without logging; created if missing. Empty: we choose a name.",
            f"({BUCKET_NAME})?",
            "A bucket name.",
        ),
        Parameter(
            "LogRetentionDays",
            Type="Number",
            Description="Days to keep logs in a bucket that we create.",
            MinValue=1,
            MaxValue=36500,
            Default=30,
        ),
        _parameter(
            "ExistingLogBucketNames",
            "The only existing buckets that the Lambda may use. Empty: any log bucket.",
            "([A-Za-z0-9._-]{3,255})?",
            "Bucket names.",
            Type=_LIST,
        ),
    ]


def _schedule() -> Parameter:
    return _parameter(
        "RefreshSchedule",
        "How often the Lambda adds new load balancers and repairs overwritten settings.",
        f"({_RATE})?",
        "rate(1 hour), rate(6 hours), rate(1 day); empty: never.",
    )


def _names() -> list[Parameter]:
    empty = "Empty: CloudFormation chooses."
    anew = f"{empty} To change it, recreate the stack."
    path = "Starts and ends with a slash."
    role, function = "[A-Za-z0-9+=,.@_-]{0,64}", "[A-Za-z0-9_-]{0,64}"
    like = "Like / or /teams/logs/."
    return [
        _parameter("LambdaExecutionRoleName", empty, role, "A role name."),
        _parameter("LambdaExecutionRolePath", path, _PATH, like, "/", MaxLength=512),
        _parameter("LambdaFunctionName", anew, function, "A function name."),
    ]


def _boundary(whom: str) -> Parameter:
    return _parameter(
        "PermissionsBoundaryArn",
        f"The permissions boundary of {whom}, if you need one.",
        f"({_BOUNDARY})?",
        "A policy's ARN.",
    )


def _parameter(
    name: str,
    description: str,
    pattern: str = "",
    constraint: str = "",
    default: str | None = "",
    **more: Any,
) -> Parameter:
    """Return a parameter; with a default of None, a value is required."""
    if pattern:
        more |= {"AllowedPattern": f"^{pattern}$", "ConstraintDescription": constraint}
    if default is not None:
        more["Default"] = default
    return Parameter(name, Description=description, **{"Type": "String", **more})
