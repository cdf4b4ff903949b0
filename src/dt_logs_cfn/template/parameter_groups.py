"""How CloudFormation's console shows the parameters: groups, their order, and labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Group:
    """Parameters that the console shows together, with their labels there."""

    title: str
    labels: Mapping[str, str]


_BOUNDARY = "PermissionsBoundaryArn"
_NAMES = Group(
    "If your account has rules for names",
    {
        "LambdaExecutionRoleName": "Role name",
        "LambdaExecutionRolePath": "Role path",
        _BOUNDARY: "Permissions boundary",
        "LambdaFunctionName": "Function name",
    },
)
STACK_GROUPS = (
    Group(
        "What Data Theorem sent you",
        {
            "DataTheoremAccountId": "AWS account",
            "NotificationEndpoint": "Endpoint",
        },
    ),
    Group(
        "What to onboard",
        {
            "LoadBalancerArns": "Load balancers",
            "LogBucketName": "Bucket for new logs",
            "LogRetentionDays": "Days to keep logs",
            "VendorReadScope": "What may be read",
            "ExistingLogBucketNames": "Existing log buckets",
            "ResourceTags": "Tags",
            "RunToken": "Run again",
        },
    ),
    _NAMES,
)
SERVICE_ROLE_GROUPS = (
    Group("Which stacks the role may run", {"StackNamePrefix": "Names begin with"}),
    Group(
        "Names that these stacks choose",
        {name: label for name, label in _NAMES.labels.items() if name.startswith("Lambda")},
    ),
    Group("If your account has rules for roles", {_BOUNDARY: _NAMES.labels[_BOUNDARY]}),
)


def interface(groups: Sequence[Group]) -> dict[str, Any]:
    """Return the metadata AWS::CloudFormation::Interface: groups, their order, and labels."""
    return {
        "ParameterGroups": [
            {"Label": {"default": group.title}, "Parameters": list(group.labels)}
            for group in groups
        ],
        "ParameterLabels": {
            name: {"default": label} for group in groups for name, label in group.labels.items()
        },
    }
