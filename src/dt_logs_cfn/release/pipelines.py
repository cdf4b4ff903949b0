"""A release for customers' own pipelines: a Terraform module, and parameters for a StackSet.

Both are made from the stack's parameters and outputs, so they cannot name others than it has.
"""

import re
from collections.abc import Mapping
from typing import Any

from dt_logs_cfn import __version__, canonical
from dt_logs_cfn.pages.launch_commands import hcl_string
from dt_logs_cfn.template.resources import ANSWERS
from dt_logs_handler.names import EVERY_LOAD_BALANCER, NAME

TERRAFORM = "terraform/main.tf"
STACK_SET_PARAMETERS = "stackset-parameters.json"

_HEAD = """\
# Data Theorem Logs Analysis {version}: one CloudFormation stack as a Terraform module.
#
# module "logs_analysis" {{
#   source             = "./terraform"
#   service_role_arn   = "arn:aws:iam::ACCOUNT:role/ROLE" # of cloudformation-role.template.json
#   load_balancer_arns = ["ARN"]
# }}

terraform {{
  required_version = ">= 1.3"

  required_providers {{
    aws = {{
      source  = "hashicorp/aws"
      version = ">= 4.0"
    }}
  }}
}}

variable "stack_name" {{
  description = "The stack's name; the service role takes names that begin like the default."
  type        = string
  default     = "{name}"
}}

variable "service_role_arn" {{
  description = "The role through which CloudFormation runs the stack."
  type        = string
}}

variable "privileges" {{
  description = "Which template: least-privilege, or documented."
  type        = string
  default     = "least-privilege"

  validation {{
    condition     = contains(["least-privilege", "documented"], var.privileges)
    error_message = "Give least-privilege or documented."
  }}
}}

variable "tags" {{
  description = "Tags of the stack."
  type        = map(string)
  default     = {{}}
}}
"""
_STACK = """\
locals {
  # The template beside this folder, which the release's checksums name, and no URL.
  template = {
    least-privilege = "dt-logs-analysis.template.json"
    documented      = "dt-logs-analysis-documented.template.json"
  }[var.privileges]
}

resource "aws_cloudformation_stack" "logs_analysis" {
  name          = var.stack_name
  iam_role_arn  = var.service_role_arn
  capabilities  = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
  template_body = file("${path.module}/../${local.template}")
  tags          = var.tags

  parameters = {
%s
  }
}
"""


def terraform(template: Mapping[str, Any]) -> str:
    """Return a Terraform module with a variable for each parameter, and an output for each output.

    `template` is a stack template as plain data. The result is formatted as `terraform fmt` does.
    """
    declared: Mapping[str, Mapping[str, Any]] = template["Parameters"]
    width = max(map(len, declared))
    given = [f"    {name:<{width}} = {_value(name, each)}" for name, each in declared.items()]
    return "\n".join(
        (
            _HEAD.format(version=__version__, name=NAME),
            *(_variable(name, each) for name, each in declared.items()),
            _STACK % "\n".join(given),
            *(_output(name) for name in ANSWERS),
        )
    )


def stack_set_parameters(template: Mapping[str, Any]) -> str:
    """Return every parameter as `--parameters file://…` of the AWS CLI takes them.

    For all load balancers, since ARNs are of one account; what has no default is empty, and
    CloudFormation refuses it until it is filled in.
    """
    values = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    values["LoadBalancerArns"] = EVERY_LOAD_BALANCER
    return canonical.dumps(
        [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    )


def _variable(name: str, declared: Mapping[str, Any]) -> str:
    lines = [
        ("description", hcl_string(f"{declared['Description']} {_takes(declared)}".rstrip())),
        ("type", _TYPES[declared["Type"]]),
    ]
    if "Default" in declared:
        lines.append(("default", _default(declared)))
    body = "".join(f"  {key:<11} = {value}\n" for key, value in lines)
    return f'variable "{_snake(name)}" {{\n{body}}}\n'


_TYPES = {"String": "string", "Number": "number", "CommaDelimitedList": "list(string)"}


def _takes(declared: Mapping[str, Any]) -> str:
    if "AllowedValues" in declared:
        return f"{' or '.join(declared['AllowedValues'])}."
    return str(declared.get("ConstraintDescription", ""))


def _default(declared: Mapping[str, Any]) -> str:
    match declared["Type"], declared["Default"]:
        case "CommaDelimitedList", "":
            return "[]"
        case "Number", value:
            return str(value)
        case _, value:
            return hcl_string(str(value))


def _value(name: str, declared: Mapping[str, Any]) -> str:
    variable = f"var.{_snake(name)}"
    return f'join(",", {variable})' if declared["Type"] == "CommaDelimitedList" else variable


def _output(name: str) -> str:
    return (
        f'output "{_snake(name)}" {{\n'
        f'  value = try(aws_cloudformation_stack.logs_analysis.outputs["{name}"], null)\n}}\n'
    )


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
