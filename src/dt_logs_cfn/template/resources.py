"""The resources of the templates. Their logical ids are promised, and never change."""

from typing import Any, ClassVar

from troposphere import GetAtt, If, Join, NoValue, Ref, Split, Sub
from troposphere.awslambda import Code, Function, LoggingConfig, Permission
from troposphere.cloudformation import AWSCustomObject
from troposphere.events import InputTransformer, RetryPolicy, Rule, Target
from troposphere.iam import Policy, Role
from troposphere.logs import LogGroup

from dt_logs_cfn import __version__
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template import embedding, execution_policies, service_policies
from dt_logs_cfn.template.statements import STACK, Resource
from dt_logs_handler.documents import compact
from dt_logs_handler.grants import GRANTS, Scope
from dt_logs_handler.request import SERVICE_TIMEOUT

EXECUTION_ROLE = "DTLogsAnalysisLambdaExecutionRole"
FUNCTION = "DTLogsAnalysisLambdaFunction"
LOG_GROUP = "DTLogsAnalysisLambdaLogGroup"
INVOCATION = "InvokeLambdaFunction"
REFRESH_RULE = "DTLogsAnalysisRefreshRule"
REFRESH_PERMISSION = "DTLogsAnalysisRefreshPermission"
SERVICE_ROLE = "DTLogsAnalysisCloudFormationRole"

RUNTIME = "python3.13"
TIMEOUT = 900  # seconds; the most that Lambda has
MEMORY = 512  # MB
LOG_DAYS = 90

# What the handler answers in every success.
ANSWERS = (
    "LogBuckets",
    "TopicArns",
    "SubscriptionArns",
    "NotOnboarded",
    "Warnings",
    "TemplateVersion",
    "HandlerSha256",
)
_PASSED_ON = (
    "LoadBalancerArns",
    "DataTheoremAccountId",
    "NotificationEndpoint",
    "LogBucketName",
    "LogRetentionDays",
    "VendorReadScope",
    "RunToken",
    "ResourceTags",
    "ExistingLogBucketNames",
)


class DTLogsAnalysis(AWSCustomObject):  # type: ignore[misc]  # troposphere ships no types
    """The custom resource through which CloudFormation invokes the handler."""

    resource_type = service_policies.CUSTOM
    props: ClassVar[dict[str, tuple[type, bool]]] = {
        "ServiceToken": (str, True),
        "ServiceTimeout": (int, True),
        **dict.fromkeys(_PASSED_ON, (object, True)),
        "Privileges": (str, True),
        "TemplateVersion": (str, True),
        "HandlerSha256": (str, True),
    }


def stack_resources(privileges: Privileges) -> list[Any]:
    """Return what a stack consists of.

    Under the documented privileges exactly the three resources that were promised; under the
    least privilege also the function's log group, since that role may not create one, and with a
    RefreshSchedule what runs the function by it.
    """
    resources = [_execution_role(privileges), _function(privileges), _invocation(privileges)]
    if privileges is Privileges.LEAST_PRIVILEGE:
        resources.append(LogGroup(LOG_GROUP, RetentionInDays=LOG_DAYS))
        resources += _schedule()
    return resources


def service_role() -> Role:
    """Return the role through which CloudFormation runs a stack's whole life."""
    named = {
        name: If(f"Has{name}", Ref(name), Sub("${StackNamePrefix}*"))
        for name in ("LambdaExecutionRoleName", "LambdaFunctionName")
    }
    here = "${AWS::Region}:${AWS::AccountId}"
    return Role(
        SERVICE_ROLE,
        PermissionsBoundary=_if_given("PermissionsBoundaryArn"),
        AssumeRolePolicyDocument=service_policies.trust(),
        Policies=[
            Policy(
                PolicyName="Lifecycle",
                PolicyDocument=service_policies.lifecycle(
                    Sub(
                        "arn:${AWS::Partition}:iam::${AWS::AccountId}:role${LambdaExecutionRolePath}"
                        "${Role}",
                        Role=named["LambdaExecutionRoleName"],
                    ),
                    Sub(
                        f"arn:${{AWS::Partition}}:lambda:{here}:function:${{Function}}",
                        Function=named["LambdaFunctionName"],
                    ),
                    [Sub(f"arn:${{AWS::Partition}}:logs:{here}:log-group:${{StackNamePrefix}}*")],
                    Sub(f"arn:${{AWS::Partition}}:events:{here}:rule/${{StackNamePrefix}}*"),
                ),
            )
        ],
    )


def _execution_role(privileges: Privileges) -> Role:
    more = []
    match privileges:
        case Privileges.DOCUMENTED:
            policy = execution_policies.documented(STACK)
        case Privileges.LEAST_PRIVILEGE:
            scheduled = [grant for grant in GRANTS if grant.on is Scope.OWN_STACK]
            always = [grant for grant in GRANTS if grant not in scheduled]
            policy = execution_policies.least_privilege(STACK, _limits(), always)
            refresh = execution_policies.least_privilege(STACK, _limits(), scheduled)
            more.append(
                If(
                    "HasRefreshSchedule",
                    Policy(PolicyName="Refresh", PolicyDocument=refresh),
                    NoValue,
                )
            )
    return Role(
        EXECUTION_ROLE,
        RoleName=_if_given("LambdaExecutionRoleName"),
        Path=Ref("LambdaExecutionRolePath"),
        PermissionsBoundary=_if_given("PermissionsBoundaryArn"),
        AssumeRolePolicyDocument=service_policies.function_trust(),
        # A policy of its own could be gone before the function runs for the last time.
        Policies=[Policy(PolicyName="LogsAnalysis", PolicyDocument=policy), *more],
    )


def _limits() -> execution_policies.Limits:
    own = execution_policies.own_bucket(STACK)
    named = Sub("arn:${AWS::Partition}:s3:::${LogBucketName}")
    return execution_policies.Limits(
        account=Ref("AWS::AccountId"),
        log_group=GetAtt(LOG_GROUP, "Arn"),
        endpoint=Ref("NotificationEndpoint"),
        own_buckets=If("HasLogBucketName", [Sub(own), named], Sub(own)),
        log_buckets=If(
            "HasExistingLogBucketNames", _only_named(own), Sub("arn:${AWS::Partition}:s3:::*")
        ),
        stack=Sub("${AWS::StackId}"),
    )


def _only_named(own: str) -> Resource:
    """Return the ARNs of the buckets that parameters name, and of the stack's own.

    CloudFormation has no loop, but a delimiter can carry the beginning of an ARN. It must be a
    literal, so the partition is a wildcard: the account that the statement asks for has but one.
    """
    before = ",arn:*:s3:::"
    return Split(
        ",",
        Sub(
            f"{own}${{LogBucket}}{before}${{Existing}}",
            LogBucket=If("HasLogBucketName", Sub(f"{before}${{LogBucketName}}"), ""),
            Existing=Join(before, Ref("ExistingLogBucketNames")),
        ),
    )


def _function(privileges: Privileges) -> Function:
    return Function(
        FUNCTION,
        FunctionName=_if_given("LambdaFunctionName"),
        Description="Makes ALB access logs flow to Data Theorem, when the stack changes",
        Role=GetAtt(EXECUTION_ROLE, "Arn"),
        Runtime=RUNTIME,
        Handler="index.handler",
        Code=Code(ZipFile=embedding.bootstrap(embedding.handler_zip())),
        MemorySize=MEMORY,
        Timeout=TIMEOUT,
        **(
            {"LoggingConfig": LoggingConfig(LogGroup=Ref(LOG_GROUP))}
            if privileges is Privileges.LEAST_PRIVILEGE
            else {}
        ),
    )


def _invocation(privileges: Privileges) -> DTLogsAnalysis:
    return DTLogsAnalysis(
        INVOCATION,
        ServiceToken=GetAtt(FUNCTION, "Arn"),
        ServiceTimeout=SERVICE_TIMEOUT,
        Privileges=privileges.value,
        TemplateVersion=__version__,
        HandlerSha256=embedding.handler_sha256(),
        **{name: Ref(name) for name in _PASSED_ON},
    )


def _schedule() -> list[Any]:
    """Return the rule that runs the function again and again, and what lets it.

    EventBridge puts the event's time, quoted, for `<time>` [EventBridge guide, input transformers].
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
        SourceAccount=Ref("AWS::AccountId"),
        SourceArn=GetAtt(REFRESH_RULE, "Arn"),
    )
    return [rule, permission]


def _if_given(name: str) -> Any:
    return If(f"Has{name}", Ref(name), NoValue)
