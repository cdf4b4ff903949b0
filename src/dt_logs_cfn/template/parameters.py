"""The parameters of the templates: what a customer may choose, and what is refused at once.

CloudFormation matches a pattern against a whole value, and of a list against each item (an empty
list has one empty item). Its regular expressions are Java's; these mean the same in Python. The
handler checks everything again, because an older stack may send it anything.
"""

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

_TAG = r"(?![Aa][Ww][Ss]:)[^=]{1,128}=.{0,256}"
_PATH = "/([A-Za-z0-9+=,.@_-]+/)*"  # of what IAM takes, what means nothing more in an ARN
# EventBridge wants the singular for one [EventBridge guide, schedule expressions].
_RATE = r"rate\((1 (hour|day)|([2-9]|[1-9][0-9]{1,3}) (hours|days))\)"
_BOUNDARY = rf"{ARN}:iam::({ACCOUNT_ID}|aws):policy/[!-~]+"


def stack_parameters(default: Vendor | None, privileges: Privileges) -> list[Parameter]:
    """Return the parameters of a stack; a vendor's account and endpoint become their defaults."""
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
        _text(
            "StackNamePrefix",
            "CloudFormation names what a stack makes after the stack, cut off in long names.",
            "[A-Za-z][A-Za-z0-9-]{0,19}",
            "1 to 20 letters, digits and hyphens.",
            Default=NAME,
        ),
        *_names(),
        _boundary("this role"),
    ]


def given(name: str) -> Any:
    """Return the condition that a text parameter has a value."""
    return Not(Equals(Ref(name), ""))


def any_given(name: str) -> Any:
    """Return the condition that a list parameter has one: an empty list has one empty item."""
    return Not(Equals(Join("", Ref(name)), ""))


def _vendor(default: Vendor | None) -> list[Parameter]:
    account = default.vendor_account_id if default else ""
    endpoint = default.notification_endpoint if default else ""
    return [
        _text(
            "DataTheoremAccountId",
            "The AWS account that may read the logs.",
            ACCOUNT_ID,
            "12 digits.",
            **({"Default": account} if account else {}),
        ),
        _text(
            "NotificationEndpoint",
            "Where new logs are announced.",
            f"({HTTPS_URL}|{QUEUE_ARN})",
            "An https URL, or a standard SQS queue's ARN.",
            MaxLength=2048,
            **({"Default": endpoint} if endpoint else {}),
        ),
    ]


def _onboarding() -> list[Parameter]:
    return [
        _list(
            "LoadBalancerArns",
            "Application load balancers of this account and region; * is all.",
            rf"(\{EVERY_LOAD_BALANCER}|{LOAD_BALANCER_ARN})",
            "ARNs (arn:...:loadbalancer/app/NAME/ID), or *.",
        ),
        Parameter(
            "VendorReadScope",
            Type="String",
            Description="Where other load balancers log to the same place: read the named ones'"
            " logs alone, or all (a shorter bucket policy).",
            AllowedValues=[scope.value for scope in ReadScope],
            Default=ReadScope.LOAD_BALANCER.value,
        ),
        _list(
            "ResourceTags",
            "For what the Lambda makes: key=value,key=value.",
            f"({_TAG})?",
            "A list of key=value; no key begins with aws:.",
            Default="",
        ),
        Parameter(
            "RunToken",
            Type="String",
            Description="Change it to run the Lambda again.",
            MaxLength=128,
            Default="",
        ),
    ]


def _log_buckets() -> list[Parameter]:
    return [
        _text(
            "LogBucketName",
            "For load balancers that do not log yet; made if missing. Empty: we choose a name.",
            f"({BUCKET_NAME})?",
            "A name that S3 takes.",
            Default="",
        ),
        Parameter(
            "LogRetentionDays",
            Type="Number",
            Description="In a bucket that we create.",
            MinValue=1,
            MaxValue=36500,
            Default=30,
        ),
        _list(
            "ExistingLogBucketNames",
            "Your only buckets that the Lambda may touch; empty: any that is logged to.",
            "([A-Za-z0-9._-]{3,255})?",
            "Bucket names.",
            Default="",
        ),
    ]


def _schedule() -> Parameter:
    return _text(
        "RefreshSchedule",
        "How often the Lambda looks for new load balancers and puts back what was overwritten.",
        f"({_RATE})?",
        "rate(1 hour), rate(6 hours), rate(1 day), or empty for never.",
        Default="",
    )


def _names() -> list[Parameter]:
    empty = "Empty: CloudFormation chooses."
    return [
        _text(
            "LambdaExecutionRoleName",
            empty,
            "[A-Za-z0-9+=,.@_-]{0,64}",
            "A role name.",
            Default="",
        ),
        _text(
            "LambdaExecutionRolePath",
            "Begins and ends with a slash.",
            _PATH,
            "Like / or /teams/logs/.",
            MaxLength=512,
            Default="/",
        ),
        _text(
            "LambdaFunctionName",
            f"{empty} To change it later, create the stack anew.",
            "[A-Za-z0-9_-]{0,64}",
            "A function name.",
            Default="",
        ),
    ]


def _boundary(whom: str) -> Parameter:
    return _text(
        "PermissionsBoundaryArn",
        f"The policy that bounds {whom}, if your roles need one.",
        f"({_BOUNDARY})?",
        "The ARN of a policy.",
        Default="",
    )


def _text(name: str, description: str, pattern: str, constraint: str, **more: Any) -> Parameter:
    return _matching("String", name, description, pattern, constraint, more)


def _list(name: str, description: str, pattern: str, constraint: str, **more: Any) -> Parameter:
    return _matching("CommaDelimitedList", name, description, pattern, constraint, more)


def _matching(
    kind: str, name: str, description: str, pattern: str, constraint: str, more: dict[str, Any]
) -> Parameter:
    return Parameter(
        name,
        Type=kind,
        Description=description,
        AllowedPattern=f"^{pattern}$",
        ConstraintDescription=constraint,
        **more,
    )
