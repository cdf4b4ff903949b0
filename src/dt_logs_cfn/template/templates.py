"""Make the templates and their resources from the settings alone.

Equal settings give equal templates. Each template records its origin, so that anybody can rebuild
it and compare. The resources' logical IDs never change, as promised.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from troposphere import GetAtt, If, NoValue, Output, Parameter, Ref, Sub, Template
from troposphere.awslambda import Code, Function, LoggingConfig, Permission
from troposphere.cloudformation import CustomResource
from troposphere.events import InputTransformer, RetryPolicy, Rule, Target
from troposphere.iam import Policy, Role
from troposphere.logs import LogGroup

from dt_logs_cfn import __version__
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.settings import FunctionSettings, Privileges, Settings
from dt_logs_cfn.template import embedding, grants, parameters
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
RECORD = "DTLogsAnalysis"
CUSTOMIZED = "CustomizedBy"
_FIX = "Take the template from a release."
_OPTIONAL = ("LambdaExecutionRoleName", "LambdaFunctionName", "PermissionsBoundaryArn")
_OPTIONAL_FOR_LEAST_PRIVILEGE = ("LogBucketName", "RefreshSchedule", "ExistingLogBucketNames")
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


class TemplateKind(Enum):
    """A kind of template: for the stack, with one set of privileges, or for the service role.

    >>> TemplateKind("service-role") is TemplateKind.SERVICE_ROLE
    True
    """

    LEAST_PRIVILEGE = "least-privilege"
    DOCUMENTED = "documented"
    SERVICE_ROLE = "service-role"


@dataclass(frozen=True)
class Origin:
    """The origin of a template, according to its own record.

    `privileges` is None for the service role's template. `customized_by` names the function that
    changed the template, as MODULE:FUNCTION, or is empty. We never import this function.

    >>> Origin("0.1.0", Settings(), Privileges.DOCUMENTED).kind.value
    'documented'
    """

    version: str
    settings: Settings
    privileges: Privileges | None
    customized_by: str = ""

    @property
    def kind(self) -> TemplateKind:
        """The kind of the template."""
        return TemplateKind(self.privileges.value) if self.privileges else TemplateKind.SERVICE_ROLE


def template_of(settings: Settings, kind: TemplateKind) -> Template:
    """Return a new template of this kind."""
    if kind is TemplateKind.SERVICE_ROLE:
        return service_role_template(settings)
    return stack_template(settings, Privileges(kind.value))


def stack_template(settings: Settings, privileges: Privileges) -> Template:
    """Return the template that onboards load balancers, as a new troposphere object.

    Equal arguments give equal templates. You may change the result. To release changed templates,
    give `build_release` a function that changes them.

    >>> template = stack_template(Settings(), Privileges.DOCUMENTED)
    >>> sorted(template.resources)
    ['DTLogsAnalysisLambdaExecutionRole', 'DTLogsAnalysisLambdaFunction', 'InvokeLambdaFunction']
    >>> template.resources["DTLogsAnalysisLambdaFunction"].Timeout  # seconds
    900
    """
    template = _template(
        "Onboards ALB access logs to Data Theorem Logs Analysis",
        Origin(__version__, settings, privileges),
        parameters.STACK_GROUPS,
        parameters.stack_parameters(settings.default, privileges),
    )
    template.add_resource(_stack_resources(privileges, settings.function))
    template.add_output([Output(name, Value=GetAtt(INVOCATION, name)) for name in ANSWERS])
    return template


def service_role_template(settings: Settings) -> Template:
    """Return the template of the service role, through which CloudFormation runs the stacks.

    >>> sorted(service_role_template(Settings()).parameters)[-1]
    'StackNamePrefix'
    """
    template = _template(
        "The role through which CloudFormation runs stacks that onboard ALB access logs",
        Origin(__version__, settings, None),
        parameters.SERVICE_ROLE_GROUPS,
        parameters.service_role_parameters(),
    )
    template.add_resource(_service_role())
    template.add_output(
        Output(
            "RoleArn",
            Description="For --role-arn, or the console's IAM role",
            Value=GetAtt(SERVICE_ROLE, "Arn"),
        )
    )
    return template


def origin(template: Mapping[str, object]) -> Origin:
    """Return the origin that an untrusted template records.

    Raises VerifyError if it does not record a version, or records unknown privileges, and
    SettingsError if its settings are invalid.
    """
    metadata = template.get("Metadata")
    record = metadata.get(RECORD) if isinstance(metadata, dict) else None
    if not isinstance(record, dict) or not isinstance(record.get("Version"), str):
        raise VerifyError("The template does not name its release.", _FIX)
    privileges = record.get("Privileges")
    if privileges is not None and privileges not in [each.value for each in Privileges]:
        raise VerifyError(f"The template names privileges {str(privileges)[:80]!r}.", _FIX)
    return Origin(
        record["Version"],
        Settings.from_metadata(record.get("Settings")),
        Privileges(privileges) if privileges is not None else None,
        str(record.get(CUSTOMIZED, "")),
    )


def _template(
    description: str, of: Origin, groups: parameters.Groups, declared: list[Parameter]
) -> Template:
    """Return a template with the common parts: its recorded origin, parameters and conditions."""
    record = {"Version": of.version, "Settings": of.settings.to_metadata()}
    if of.privileges:
        record["Privileges"] = of.privileges.value
    shown = parameters.interface(groups, [each.title for each in declared])
    template = Template(description, {RECORD: record, "AWS::CloudFormation::Interface": shown})
    template.set_version("2010-09-09")
    template.add_parameter(declared)
    least = of.privileges is Privileges.LEAST_PRIVILEGE
    optional = (*_OPTIONAL, *_OPTIONAL_FOR_LEAST_PRIVILEGE) if least else _OPTIONAL
    for name in optional:
        template.add_condition(f"Has{name}", parameters.condition(template.parameters[name]))
    return template


class DTLogsAnalysis(CustomResource):  # type: ignore[misc]  # troposphere does not ship types
    """The custom resource through which CloudFormation invokes the handler."""

    resource_type = grants.CUSTOM


def _stack_resources(privileges: Privileges, function: FunctionSettings) -> list[Any]:
    """Return a stack's resources.

    With the documented privileges, these are exactly the three promised resources. With least
    privilege, the stack also creates the function's log group, because the function's role may not
    create it. With a RefreshSchedule, it also creates a rule and the rule's permission to run the
    function, and adds a statement to the function's role.
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


def _service_role() -> Role:
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
        **{name: Ref(name) for name in parameters.PASSED_ON},
    )


def _schedule() -> list[Any]:
    """Return the rule that runs the function on a schedule, and the rule's permission to do so.

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
        SourceArn=GetAtt(REFRESH_RULE, "Arn"),  # has the account, so SourceAccount is not needed
    )
    return [rule, permission]


def _if_given(name: str) -> Any:
    return If(f"Has{name}", Ref(name), NoValue)
