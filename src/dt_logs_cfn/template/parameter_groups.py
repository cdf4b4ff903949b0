"""How CloudFormation's console groups and orders the parameters, under their own names."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Group:
    """Parameters that the console shows together."""

    title: str
    parameters: tuple[str, ...]


_BOUNDARY = "PermissionsBoundaryArn"
STACK_GROUPS = (
    Group("What Data Theorem sent you", ("DataTheoremAccountId", "NotificationEndpoint")),
    Group(
        "What to onboard",
        (
            "LoadBalancerArns",
            "LogBucketName",
            "LogRetentionDays",
            "RefreshSchedule",
            "VendorReadScope",
            "ExistingLogBucketNames",
            "ResourceTags",
            "RunToken",
        ),
    ),
)  # the console shows the names, which few need, under its own title
SERVICE_ROLE_GROUPS = (
    Group("Which stacks the role may run", ("StackNamePrefix",)),
    Group(
        "Names that these stacks choose",
        ("LambdaExecutionRoleName", "LambdaExecutionRolePath", "LambdaFunctionName"),
    ),
    Group("If your account has rules for roles", (_BOUNDARY,)),
)


def interface(groups: Sequence[Group], parameters: Collection[str]) -> dict[str, Any]:
    """Return the metadata AWS::CloudFormation::Interface: groups of these parameters, in order."""
    return {
        "ParameterGroups": [
            {
                "Label": {"default": group.title},
                "Parameters": [name for name in group.parameters if name in parameters],
            }
            for group in groups
        ]
    }
