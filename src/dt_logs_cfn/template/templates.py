"""Make the templates from the settings alone.

    Settings ─► parameters ─┐
    GRANTS ─► policies ─────┼─► resources ─► Template
    handler ─► embedding ───┘

Equal settings give equal templates. Each template records its origin, so that anybody can rebuild
it and compare.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from troposphere import GetAtt, Output, Parameter, Template

from dt_logs_cfn import __version__
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template import parameters, resources

RECORD = "DTLogsAnalysis"
CUSTOMIZED = "CustomizedBy"
_FIX = "Take the template from a release."
_OPTIONAL = ("LambdaExecutionRoleName", "LambdaFunctionName", "PermissionsBoundaryArn")
_OPTIONAL_FOR_LEAST_PRIVILEGE = ("LogBucketName", "RefreshSchedule", "ExistingLogBucketNames")


class TemplateKind(Enum):
    """A kind of template: the stack's with one set of privileges, or the service role's.

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
    changed the template, as MODULE:FUNCTION, or is empty. This name is never used for an import.

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
    """Return a new template of a kind."""
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
    template.add_resource(resources.stack_resources(privileges, settings.function))
    template.add_output(
        [Output(name, Value=GetAtt(resources.INVOCATION, name)) for name in resources.ANSWERS]
    )
    return template


def service_role_template(settings: Settings) -> Template:
    """Return the template of the role through which CloudFormation runs these stacks.

    >>> sorted(service_role_template(Settings()).parameters)[-1]
    'StackNamePrefix'
    """
    template = _template(
        "The role through which CloudFormation runs stacks that onboard ALB access logs",
        Origin(__version__, settings, None),
        parameters.SERVICE_ROLE_GROUPS,
        parameters.service_role_parameters(),
    )
    template.add_resource(resources.service_role())
    template.add_output(
        Output(
            "RoleArn",
            Description="For --role-arn, or the console's IAM role",
            Value=GetAtt(resources.SERVICE_ROLE, "Arn"),
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
