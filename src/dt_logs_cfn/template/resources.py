"""Make the templates' resources. Their logical IDs are promised and never change."""

from dataclasses import replace
from typing import Any

from troposphere import GetAtt, If, NoValue, Ref, Sub
from troposphere.awslambda import Code, Function, LoggingConfig, Permission
from troposphere.cloudformation import CustomResource
from troposphere.events import InputTransformer, RetryPolicy, Rule, Target
from troposphere.iam import Policy, Role
from troposphere.logs import LogGroup

from dt_logs_cfn import __version__
from dt_logs_cfn.settings import FunctionSettings, Privileges
from dt_logs_cfn.template import embedding, grants
from dt_logs_cfn.template.parameters import PASSED_ON
from dt_logs_cfn.template.role_policies import (
    LOG_GROUP,
    STACK,
    execution_policy,
    refresh_policy,
    service_role_policy,
    service_role_trust,
    trust,
)
from dt_logs_handler.documents import compact
from dt_logs_handler.request import SERVICE_TIMEOUT

EXECUTION_ROLE = "DTLogsAnalysisLambdaExecutionRole"
FUNCTION = "DTLogsAnalysisLambdaFunction"
INVOCATION = "InvokeLambdaFunction"
REFRESH_RULE = "DTLogsAnalysisRefreshRule"
REFRESH_PERMISSION = "DTLogsAnalysisRefreshPermission"
SERVICE_ROLE = "DTLogsAnalysisCloudFormationRole"

# The stack's outputs, which the handler returns after each successful Create or Update.
ANSWERS = (
    "LogBuckets",
    "TopicArns",
    "SubscriptionArns",
    "NotOnboarded",
    "Warnings",
    "TemplateVersion",
    "HandlerSha256",
)


class DTLogsAnalysis(CustomResource):  # type: ignore[misc]  # troposphere does not ship types
    """The custom resource through which CloudFormation invokes the handler."""

    resource_type = grants.CUSTOM


def stack_resources(privileges: Privileges, function: FunctionSettings) -> list[Any]:
    """Return a stack's resources.

    With the documented privileges, these are exactly the three promised resources. With least
    privilege, the stack also creates the function's log group, because the function's role may not
    create it. A RefreshSchedule adds a rule that runs the function, and the rule's permission.
    """
    role, code = _execution_role(privileges), _function(function)
    resources = [role, code, _invocation(privileges)]
    if privileges is Privileges.LEAST_PRIVILEGE:
        (statement,) = refresh_policy().Statement
        scheduled = If("HasRefreshSchedule", statement, NoValue)
        role.Policies[0].PolicyDocument.Statement.append(scheduled)
        code.LoggingConfig = LoggingConfig(LogGroup=Ref(LOG_GROUP))
        resources.append(LogGroup(LOG_GROUP, RetentionInDays=function.log_retention))
        resources += _schedule()
    return resources


def service_role() -> Role:
    """Return the role through which CloudFormation creates, updates and deletes a stack."""
    named = {
        name: If(f"Has{name}", Ref(name), Sub("${StackNamePrefix}*"))
        for name in ("LambdaExecutionRoleName", "LambdaFunctionName")
    }
    text = replace(STACK, text=str)
    policy = service_role_policy(
        "lifecycle",
        Sub(
            text.arn("iam", "role${LambdaExecutionRolePath}${Role}"),
            Role=named["LambdaExecutionRoleName"],
        ),
        Sub(text.arn("lambda", "function:${Function}"), Function=named["LambdaFunctionName"]),
        [STACK.arn("logs", "log-group:${StackNamePrefix}*")],
        [STACK.arn("events", "rule/${StackNamePrefix}*")],
    )
    return Role(
        SERVICE_ROLE,
        PermissionsBoundary=_if_given("PermissionsBoundaryArn"),
        AssumeRolePolicyDocument=service_role_trust(),
        Policies=[Policy(PolicyName="Lifecycle", PolicyDocument=policy)],
    )


def _execution_role(privileges: Privileges) -> Role:
    policy = execution_policy(privileges)
    return Role(
        EXECUTION_ROLE,
        RoleName=_if_given("LambdaExecutionRoleName"),
        Path=Ref("LambdaExecutionRolePath"),
        PermissionsBoundary=_if_given("PermissionsBoundaryArn"),
        AssumeRolePolicyDocument=trust("lambda.amazonaws.com"),
        # A separate policy resource could be deleted before the function's last run.
        Policies=[Policy(PolicyName="LogsAnalysis", PolicyDocument=policy)],
    )


def _function(settings: FunctionSettings) -> Function:
    return Function(
        FUNCTION,
        FunctionName=_if_given("LambdaFunctionName"),
        Description="Makes ALB access logs flow to Data Theorem",
        Role=GetAtt(EXECUTION_ROLE, "Arn"),
        Runtime=settings.runtime,
        Handler="index.handler",
        Code=Code(ZipFile=embedding.bootstrap(embedding.handler_zip())),
        MemorySize=settings.memory,
        Timeout=settings.timeout,
    )


def _invocation(privileges: Privileges) -> DTLogsAnalysis:
    return DTLogsAnalysis(
        INVOCATION,
        ServiceToken=GetAtt(FUNCTION, "Arn"),
        ServiceTimeout=SERVICE_TIMEOUT,
        Privileges=privileges.value,
        TemplateVersion=__version__,
        HandlerSha256=embedding.handler_sha256(),
        **{name: Ref(name) for name in PASSED_ON},
    )


def _schedule() -> list[Any]:
    """Return the rule that runs the function on a schedule, and the permission for the rule.

    EventBridge replaces `<time>` with the event's time, in quotes [EventBridge guide, input
    transformers].
    """
    event = {"RequestType": "Refresh", "StackId": "${AWS::StackId}", "Time": "<time>"}
    function = GetAtt(FUNCTION, "Arn")
    rule = Rule(
        REFRESH_RULE,
        Condition="HasRefreshSchedule",
        DependsOn=INVOCATION,
        ScheduleExpression=Ref("RefreshSchedule"),
        Targets=[
            Target(
                Id="Function",
                Arn=function,
                InputTransformer=InputTransformer(
                    InputPathsMap={"time": "$.time"},
                    InputTemplate=Sub(compact(event).replace('"<time>"', "<time>")),
                ),
                RetryPolicy=RetryPolicy(MaximumRetryAttempts=0),
            )
        ],
    )
    permission = Permission(
        REFRESH_PERMISSION,
        Condition="HasRefreshSchedule",
        Action="lambda:InvokeFunction",
        FunctionName=function,
        Principal="events.amazonaws.com",
        SourceArn=GetAtt(REFRESH_RULE, "Arn"),  # contains the account: SourceAccount is not needed
    )
    return [rule, permission]


def _if_given(name: str) -> Any:
    return If(f"Has{name}", Ref(name), NoValue)
