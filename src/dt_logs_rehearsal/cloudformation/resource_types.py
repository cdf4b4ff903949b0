"""Create, change and delete our stacks' resources with the calls that CloudFormation makes.

The calls are those that CloudFormation's registry schemas list for our properties. IAM also decides
about calls that moto does not emulate.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dt_logs_rehearsal.account.world import moment, present
from dt_logs_rehearsal.cloudformation.stack import Made

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient

RULE = "AWS::Events::Rule"
Properties = Mapping[str, Any]
Keep = Callable[[str, Mapping[str, str]], Made]  # records a physical ID and attributes
# CloudFormation's read handlers also call these operations, which moto does not emulate.
_READ = (
    "lambda:GetRuntimeManagementConfig",
    "lambda:GetFunctionRecursionConfig",
    "lambda:GetFunctionScalingConfig",
)


@dataclass(frozen=True)
class Context:
    """The context of a resource handler: clients with the stack's role, resource names, tags.

    `decide` lets IAM decide about an action without a call; it raises Refused if IAM denies the
    action.
    """

    iam: IAMClient
    functions: LambdaClient
    logs: CloudWatchLogsClient
    events: EventBridgeClient
    decide: Callable[[str, Mapping[str, Any]], None]
    name: Callable[[str], str]
    tags: Mapping[str, str]
    place: tuple[str, str, str]  # partition, region, account

    def tagged(self, given: Properties) -> dict[str, str]:
        """Return the stack's tags and the resource's own tags, which take precedence."""
        return {**self.tags, **{each["Key"]: each["Value"] for each in given.get("Tags", ())}}

    def tags_of(self, given: Properties) -> dict[str, Any]:
        """Return a call's parameter `Tags` as most services expect it, or an empty mapping."""
        return present(Tags=[{"Key": k, "Value": v} for k, v in self.tagged(given).items()])


@dataclass(frozen=True)
class ResourceType:
    """The functions that create, change and delete resources of a type.

    A change to a `create_only` property replaces the resource. `create` records the resource as
    soon as it exists, so that a rollback can delete it.
    """

    create_only: tuple[str, ...]
    create: Callable[[Context, str, Properties, Keep], object]
    update: Callable[[Context, Made, Properties], None]
    delete: Callable[[Context, Made], None]


def _create_role(context: Context, logical: str, given: Properties, keep: Keep) -> None:
    iam, name = context.iam, given.get("RoleName") or context.name(logical)
    arn = iam.create_role(
        RoleName=name,
        Path=given.get("Path", "/"),
        AssumeRolePolicyDocument=json.dumps(given["AssumeRolePolicyDocument"]),
        **_only(given, "PermissionsBoundary"),
        **context.tags_of(given),
    )["Role"]["Arn"]
    keep(name, {"Arn": arn})
    _put_policies(iam, name, given)
    _read_role(iam, name)


def _put_policies(iam: IAMClient, name: str, given: Properties) -> None:
    for policy in given.get("Policies", ()):
        iam.put_role_policy(
            RoleName=name,
            PolicyName=policy["PolicyName"],
            PolicyDocument=json.dumps(policy["PolicyDocument"]),
        )


def _read_role(iam: IAMClient, name: str) -> list[str]:
    iam.get_role(RoleName=name)
    iam.list_attached_role_policies(RoleName=name)
    names = iam.list_role_policies(RoleName=name)["PolicyNames"]
    for each in names:
        iam.get_role_policy(RoleName=name, PolicyName=each)
    return names


def _update_role(context: Context, made: Made, given: Properties) -> None:
    iam, name, old = context.iam, made.physical_id, made.properties
    if old["AssumeRolePolicyDocument"] != given["AssumeRolePolicyDocument"]:
        trust = json.dumps(given["AssumeRolePolicyDocument"])
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    if old.get("Policies") != given.get("Policies"):
        _put_policies(iam, name, given)
        there = iam.list_role_policies(RoleName=name)["PolicyNames"]
        for policy in set(there) - {each["PolicyName"] for each in given.get("Policies", ())}:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
    if old.get("PermissionsBoundary") != given.get("PermissionsBoundary"):
        if boundary := _only(given, "PermissionsBoundary"):
            iam.put_role_permissions_boundary(RoleName=name, **boundary)
        else:
            iam.delete_role_permissions_boundary(RoleName=name)


def _delete_role(context: Context, made: Made) -> None:
    for policy in _read_role(context.iam, made.physical_id):
        context.iam.delete_role_policy(RoleName=made.physical_id, PolicyName=policy)
    context.iam.delete_role(RoleName=made.physical_id)


def _create_function(context: Context, logical: str, given: Properties, keep: Keep) -> None:
    name = given.get("FunctionName") or context.name(logical)
    arn = context.functions.create_function(
        FunctionName=name,
        Code={"ZipFile": _zipped(given["Code"]["ZipFile"])},
        Runtime=given["Runtime"],
        **_configuration(given),
        **present(Tags=context.tagged(given)),
    )["FunctionArn"]
    keep(name, {"Arn": arn})
    context.functions.get_function(FunctionName=name)
    context.functions.get_function_code_signing_config(FunctionName=name)
    for action in _READ:
        context.decide(action, {"FunctionName": name})


def _configuration(given: Properties) -> dict[str, Any]:
    return {
        "Role": given["Role"],
        "Handler": given["Handler"],
        "Timeout": int(given["Timeout"]),
        "MemorySize": int(given["MemorySize"]),
        **_only(given, "Description", "LoggingConfig"),
    }


def _only(given: Properties, *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _zipped(code: str) -> bytes:
    """Return code as CloudFormation sends it to Lambda: as `index.py` in a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", code)
    return packed.getvalue()


def _update_function(context: Context, made: Made, given: Properties) -> None:
    name, old = made.physical_id, made.properties
    if old["Code"] != given["Code"]:
        context.functions.update_function_code(
            FunctionName=name, ZipFile=_zipped(given["Code"]["ZipFile"])
        )
    if _configuration(old) != _configuration(given):
        context.functions.update_function_configuration(FunctionName=name, **_configuration(given))


def _delete_function(context: Context, made: Made) -> None:
    context.functions.get_function(FunctionName=made.physical_id)
    context.functions.delete_function(FunctionName=made.physical_id)


def _create_log_group(context: Context, logical: str, given: Properties, keep: Keep) -> None:
    name = given.get("LogGroupName") or context.name(logical)
    context.logs.create_log_group(logGroupName=name, **present(tags=context.tagged(given)))
    (found,) = context.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    _update_log_group(context, keep(name, {"Arn": found["arn"]}), given)


def _update_log_group(context: Context, made: Made, given: Properties) -> None:
    if "RetentionInDays" in given:
        days: Any = int(given["RetentionInDays"])
        context.logs.put_retention_policy(logGroupName=made.physical_id, retentionInDays=days)


def _delete_log_group(context: Context, made: Made) -> None:
    context.logs.delete_log_group(logGroupName=made.physical_id)


def _create_alarm(context: Context, logical: str, given: Properties, keep: Keep) -> None:
    """Record an alarm, which never fires; let IAM decide about its calls."""
    name = given.get("AlarmName") or context.name(logical)
    partition, region, account = context.place
    _decide_alarm(context, name, "PutMetricAlarm")
    keep(name, {"Arn": f"arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"})
    tagging = ("TagResource",) if context.tagged(given) else ()
    _decide_alarm(context, name, *tagging, "DescribeAlarms", "ListTagsForResource")


def _update_alarm(context: Context, made: Made, given: Properties) -> None:
    _decide_alarm(context, made.physical_id, "PutMetricAlarm", "DescribeAlarms")


def _delete_alarm(context: Context, made: Made) -> None:
    _decide_alarm(context, made.physical_id, "DescribeAlarms", "DeleteAlarms")


def _decide_alarm(context: Context, name: str, *operations: str) -> None:
    for operation in operations:
        context.decide(f"cloudwatch:{operation}", {"AlarmName": name})


def _create_rule(context: Context, logical: str, given: Properties, keep: Keep) -> None:
    name = given.get("Name") or context.name(logical)
    schedule = given["ScheduleExpression"]
    rule = context.events.put_rule(Name=name, ScheduleExpression=schedule, **context.tags_of(given))
    _update_rule(context, keep(name, {"Arn": rule["RuleArn"]}), given)


def _update_rule(context: Context, made: Made, given: Properties) -> None:
    events, name = context.events, made.physical_id
    events.describe_rule(Name=name)
    events.put_rule(Name=name, ScheduleExpression=given["ScheduleExpression"])
    targets: list[Any] = [
        {**each, "RetryPolicy": {k: int(v) for k, v in each.get("RetryPolicy", {}).items()}}
        for each in given["Targets"]
    ]
    events.put_targets(Rule=name, Targets=targets)
    events.list_targets_by_rule(Rule=name)
    events.list_tags_for_resource(ResourceARN=made.attributes["Arn"])


def _delete_rule(context: Context, made: Made) -> None:
    events, name = context.events, made.physical_id
    events.describe_rule(Name=name)
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    events.remove_targets(Rule=name, Ids=[each["Id"] for each in targets])
    events.delete_rule(Name=name)


def scheduled_event(target: Mapping[str, Any], time: float) -> dict[str, Any]:
    """Return EventBridge's event for a rule's target: the target's template, filled in.

    Strings are inserted in quotes [EventBridge guide, eb-transform-target-input.md].
    """
    transformer = target["InputTransformer"]
    event = {"$.time": f"{moment(time):%Y-%m-%dT%H:%M:%SZ}"}
    text: str = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        text = text.replace(f"<{name}>", json.dumps(event[path]))
    found: dict[str, Any] = json.loads(text)
    return found


def _create_permission(context: Context, logical: str, given: Properties, keep: Keep) -> None:
    name = context.name(logical)
    context.functions.add_permission(StatementId=name, **_only(given, *_OF_PERMISSIONS))
    keep(name, {})
    context.functions.get_policy(FunctionName=given["FunctionName"])


def _delete_permission(context: Context, made: Made) -> None:
    context.functions.remove_permission(
        FunctionName=made.properties["FunctionName"], StatementId=made.physical_id
    )


_OF_PERMISSIONS = ("FunctionName", "Action", "Principal", "SourceArn", "SourceAccount")
# [CloudFormation registry schemas, createOnlyProperties]
TYPES = {
    "AWS::CloudWatch::Alarm": ResourceType(
        ("AlarmName",), _create_alarm, _update_alarm, _delete_alarm
    ),
    "AWS::IAM::Role": ResourceType(("Path", "RoleName"), _create_role, _update_role, _delete_role),
    "AWS::Lambda::Function": ResourceType(
        ("FunctionName", "PackageType"), _create_function, _update_function, _delete_function
    ),
    "AWS::Logs::LogGroup": ResourceType(
        ("LogGroupName",), _create_log_group, _update_log_group, _delete_log_group
    ),
    RULE: ResourceType(("Name",), _create_rule, _update_rule, _delete_rule),
    "AWS::Lambda::Permission": ResourceType(
        _OF_PERMISSIONS, _create_permission, lambda context, made, given: None, _delete_permission
    ),
}


def create_only(kind: str) -> tuple[str, ...]:
    """Return a type's create-only properties: a change to one of them replaces the resource."""
    return TYPES[kind].create_only if kind in TYPES else ("ServiceToken",)
