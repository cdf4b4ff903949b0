"""A release for customers' own pipelines: Terraform modules, and parameters for a StackSet.

Both are made from the stack's parameters and outputs, so they cannot name others than it has.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from dt_logs_cfn import __version__, canonical
from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.pages.launch_commands import hcl_string
from dt_logs_handler.names import EVERY_LOAD_BALANCER, NAME

TERRAFORM = "terraform/main.tf"
TERRAFORM_STACK_SET = "terraform/stack-set/main.tf"
STACK_SET_PARAMETERS = "stackset-parameters.json"

_LOAD_BALANCERS = "LoadBalancerArns"

_PROVIDER = """
terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= %s"
    }
  }
}
"""
_CHOICE = """\
variable "privileges" {
  description = "Which template: least-privilege, or documented."
  type        = string
  default     = "least-privilege"

  validation {
    condition     = contains(["least-privilege", "documented"], var.privileges)
    error_message = "Give least-privilege or documented."
  }
}

variable "tags" {
  description = "Tags of the stack."
  type        = map(string)
  default     = {}
}
"""
_TEMPLATE = """\
locals {
  # A template of this release, which the release's checksums name, and no URL.
  template = {
    least-privilege = "dt-logs-analysis.template.json"
    documented      = "dt-logs-analysis-documented.template.json"
  }[var.privileges]

  values = {
%s
  }
  # The documented template lacks some of them.
  parameters = {
    for name, value in local.values : name => value
    if var.privileges == "least-privilege" || !contains(%s, name)
  }
}
"""

# A value that would be left out in silence.
_PRECONDITION = """\
    precondition {
      condition     = var.privileges == "least-privilege" || (%s)
      error_message = "The documented template does not have %s."
    }"""
# [Terraform language, Variable block reference: label]
_RESERVED = frozenset(
    ("count", "depends_on", "for_each", "lifecycle", "locals", "providers", "source", "version")
)

_HEAD = f"""\
# Data Theorem Logs Analysis {__version__}: one CloudFormation stack as a Terraform module.
#
# module "logs_analysis" {{
#   source             = "./terraform"
#   service_role_arn   = "arn:aws:iam::ACCOUNT:role/ROLE" # of cloudformation-role.template.json
#   load_balancer_arns = ["ARN"]
# }}
{_PROVIDER % "4.0"}
variable "stack_name" {{
  description = "The stack's name; the service role takes names that begin like the default."
  type        = string
  default     = "{NAME}"
}}

variable "service_role_arn" {{
  description = "The role through which CloudFormation runs the stack."
  type        = string
}}
"""
_STACK = """\
resource "aws_cloudformation_stack" "logs_analysis" {
  name          = var.stack_name
  iam_role_arn  = var.service_role_arn
  capabilities  = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
  template_body = file("${path.module}/../${local.template}")
  tags          = var.tags
  parameters    = local.parameters

  lifecycle {
%s
  }
}
"""

_STACK_SET_HEAD = f"""\
# Data Theorem Logs Analysis {__version__}: a CloudFormation StackSet as a Terraform module, with a
# stack for all load balancers in each account of organizational units and each region.
#
# module "logs_analysis" {{
#   source                  = "./terraform/stack-set"
#   organizational_unit_ids = ["ou-abcd-11112222"]
#   regions                 = ["eu-west-1"]
# }}
{_PROVIDER % "5.67"}
variable "stack_set_name" {{
  description = "The stack set's name."
  type        = string
  default     = "{NAME}"
}}

variable "organizational_unit_ids" {{
  description = "The units, or the root; the management account is never one of their accounts."
  type        = list(string)
}}

variable "regions" {{
  description = "Where the load balancers are."
  type        = list(string)
}}

variable "auto_deployment" {{
  description = "Whether accounts that join a unit later get stacks, and that leave it lose them."
  type        = bool
  default     = false
}}

variable "call_as" {{
  description = "SELF in the management account, DELEGATED_ADMIN in a delegated administrator."
  type        = string
  default     = "SELF"
}}

variable "failure_tolerance_percentage" {{
  description = "In how many accounts of a region it may fail before CloudFormation stops."
  type        = number
  default     = 0
}}

variable "max_concurrent_percentage" {{
  description = "In how many accounts of a region CloudFormation works at once; at least in one."
  type        = number
  default     = 1
}}
"""
_STACK_SET = """\
resource "aws_cloudformation_stack_set" "logs_analysis" {
  name             = var.stack_set_name
  permission_model = "SERVICE_MANAGED"
  call_as          = var.call_as
  capabilities     = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
  template_body    = file("${path.module}/../../${local.template}")
  tags             = var.tags
  parameters       = local.parameters

  auto_deployment {
    enabled                          = var.auto_deployment
    retain_stacks_on_account_removal = false
  }

  operation_preferences {
    failure_tolerance_percentage = var.failure_tolerance_percentage
    max_concurrent_percentage    = var.max_concurrent_percentage
  }

  lifecycle {
    ignore_changes = [administration_role_arn] # CloudFormation fills in its own

%s
  }
}

resource "aws_cloudformation_stack_instances" "logs_analysis" {
  stack_set_name = aws_cloudformation_stack_set.logs_analysis.name
  call_as        = var.call_as
  regions        = var.regions

  deployment_targets {
    organizational_unit_ids = var.organizational_unit_ids
  }

  operation_preferences {
    failure_tolerance_percentage = var.failure_tolerance_percentage
    max_concurrent_percentage    = var.max_concurrent_percentage
  }
}

output "stack_set_id" {
  value = aws_cloudformation_stack_set.logs_analysis.stack_set_id
}
"""


def terraform(template: Mapping[str, Any], documented: Mapping[str, Any]) -> str:
    """Return a Terraform module with a variable for each parameter, and an output for each output.

    The templates are the stack's as plain data: the least-privilege one, which has all parameters,
    and the documented one. The result is formatted as `terraform fmt` does.
    """
    declared: Mapping[str, Mapping[str, Any]] = template["Parameters"]
    variables = (_variable(name, each) for name, each in declared.items())
    outputs = (_output(name) for name in template["Outputs"])
    values = _values({name: _value(name, each) for name, each in declared.items()})
    local = _TEMPLATE % (values, _lacking(template, documented))
    stack = _STACK % _precondition(template, documented)
    return _module(declared, _HEAD, _CHOICE, *variables, local, stack, *outputs)


def terraform_stack_set(template: Mapping[str, Any], documented: Mapping[str, Any]) -> str:
    """Return a Terraform module of a StackSet, with a variable for each parameter but one.

    It covers all load balancers, because an ARN belongs to one account. As `terraform` otherwise.
    """
    declared: Mapping[str, Mapping[str, Any]] = template["Parameters"]
    given = {name: _value(name, each) for name, each in declared.items()}
    given[_LOAD_BALANCERS] = hcl_string(EVERY_LOAD_BALANCER)
    variables = (_variable(n, each) for n, each in declared.items() if n != _LOAD_BALANCERS)
    local = _TEMPLATE % (_values(given), _lacking(template, documented))
    stack_set = _STACK_SET % _precondition(template, documented)
    return _module(declared, _STACK_SET_HEAD, _CHOICE, *variables, local, stack_set)


def stack_set_parameters(template: Mapping[str, Any]) -> str:
    """Return every parameter as `--parameters file://…` of the AWS CLI takes them.

    Covers all load balancers, because an ARN belongs to one account. A parameter without a default
    is empty, and CloudFormation refuses it until it is filled in.
    """
    values = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    values[_LOAD_BALANCERS] = EVERY_LOAD_BALANCER
    return canonical.dumps(
        [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    )


def _module(declared: Mapping[str, Any], *blocks: str) -> str:
    """Join blocks. Raises BuildError for a parameter whose variable Terraform does not take."""
    text = "\n".join(blocks)
    for variable, number in Counter(re.findall(r'(?m)^variable "(\w+)"', text)).items():
        if number > 1 or variable in _RESERVED:
            names = (name for name in declared if _snake(name) == variable)
            raise BuildError(
                f"The Terraform modules can have no variable {variable!r} for the parameter"
                f" {', '.join(names)}.",
                "Give the parameter another name.",
            )
    return text


def _variable(name: str, declared: Mapping[str, Any]) -> str:
    told = f"{declared.get('Description', '')} {_takes(declared)}".strip()
    lines = [
        ("description", hcl_string(told)),
        ("type", _type(declared)),
    ]
    if "Default" in declared:
        lines.append(("default", _default(declared)))
    if str(declared.get("NoEcho")).lower() == "true":
        lines.append(("sensitive", "true"))
    body = "".join(f"  {key:<11} = {value}\n" for key, value in lines)
    return f'variable "{_snake(name)}" {{\n{body}}}\n'


def _type(declared: Mapping[str, Any]) -> str:
    """Return the type of a variable; CloudFormation has more types of texts and of lists."""
    if declared["Type"] == "CommaDelimitedList" or declared["Type"].startswith("List<"):
        return "list(string)"
    return "number" if declared["Type"] == "Number" else "string"


def _takes(declared: Mapping[str, Any]) -> str:
    if "AllowedValues" in declared:
        return f"{' or '.join(declared['AllowedValues'])}."
    return str(declared.get("ConstraintDescription", ""))


def _default(declared: Mapping[str, Any]) -> str:
    value = str(declared["Default"])
    match _type(declared):
        case "list(string)":
            return f"[{', '.join(hcl_string(each) for each in value.split(',') if value)}]"
        case "number":
            return value
    return hcl_string(value)


def _value(name: str, declared: Mapping[str, Any]) -> str:
    variable = f"var.{_snake(name)}"
    return f'join(",", {variable})' if _type(declared) == "list(string)" else variable


def _only_in(template: Mapping[str, Any], documented: Mapping[str, Any]) -> list[str]:
    return [name for name in template["Parameters"] if name not in documented["Parameters"]]


def _lacking(template: Mapping[str, Any], documented: Mapping[str, Any]) -> str:
    """Return the parameters that the documented template lacks, as a list in Terraform."""
    return f"[{', '.join(map(hcl_string, _only_in(template, documented)))}]"


def _precondition(template: Mapping[str, Any], documented: Mapping[str, Any]) -> str:
    """Return what fails a plan if a parameter that the documented template lacks is given."""
    declared = template["Parameters"]
    names = [each for each in _only_in(template, documented) if "Default" in declared[each]]
    unset = (f"{_value(each, declared[each])} == {_unset(declared[each])}" for each in names)
    return _PRECONDITION % (" && ".join(unset) or "true", ", ".join(names) or "them")


def _unset(declared: Mapping[str, Any]) -> str:
    """Return the default as what `_value` is then: a list is never equal to one in brackets."""
    number = _type(declared) == "number"
    return _default(declared) if number else hcl_string(str(declared["Default"]))


def _values(given: Mapping[str, str]) -> str:
    width = max(map(len, given))
    return "\n".join(f"    {name:<{width}} = {value}" for name, value in given.items())


def _output(name: str) -> str:
    return (
        f'output "{_snake(name)}" {{\n'
        f'  value = try(aws_cloudformation_stack.logs_analysis.outputs["{name}"], null)\n}}\n'
    )


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
