"""Make the files for customers' own pipelines: Terraform modules, and parameters for a StackSet.

The folder `terraform` has the modules. Names like @VARIABLES@ in them stand for the version and for
the parts that depend on the templates' parameters. The stack's outputs are appended to its module.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dt_logs_cfn import __version__, canonical
from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.pages.launch_commands import hcl_string
from dt_logs_handler.names import EVERY_LOAD_BALANCER

TERRAFORM = "terraform/main.tf"
TERRAFORM_STACK_SET = "terraform/stack-set/main.tf"
STACK_SET_PARAMETERS = "stackset-parameters.json"

_FOLDER = Path(__file__).parent / "terraform"
_LOAD_BALANCERS = "LoadBalancerArns"

# Fail the plan rather than ignore a parameter that the documented template lacks.
_PRECONDITION = """\
    precondition {
      condition     = var.privileges == "least-privilege" || (%s)
      error_message = "The documented template does not have %s."
    }"""
# The names that a variable may not have [Terraform language, Variable block reference: label].
_RESERVED = frozenset(
    ("count", "depends_on", "for_each", "lifecycle", "locals", "providers", "source", "version")
)


@dataclass(frozen=True)
class _Variable:
    """A template parameter as a Terraform variable; `value` and `default` join a list's items."""

    parameter: str
    name: str
    value: str  # an expression
    default: str | None  # a literal, or None if the parameter is required
    block: str  # the declaration


def _variable(parameter: str, declared: Mapping[str, Any]) -> _Variable:
    name, kind = _snake(parameter), declared["Type"]
    # CloudFormation has more types of strings and lists than Terraform.
    is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
    takes = declared.get("ConstraintDescription", "")
    if "AllowedValues" in declared:
        takes = f"{' or '.join(declared['AllowedValues'])}."
    description = f"{declared.get('Description', '')} {takes}".strip()
    of = "list(string)" if is_list else "number" if kind == "Number" else "string"
    lines, default = {"description": hcl_string(description), "type": of}, None
    if "Default" in declared:
        text = str(declared["Default"])
        default = text if of == "number" else hcl_string(text)
        items = map(hcl_string, text.split(",") if text else ())
        lines["default"] = f"[{', '.join(items)}]" if is_list else default
    if str(declared.get("NoEcho")).lower() == "true":
        lines["sensitive"] = "true"
    body = "".join(f"  {key:<11} = {value}\n" for key, value in lines.items())
    value = f'join(",", var.{name})' if is_list else f"var.{name}"
    return _Variable(parameter, name, value, default, f'variable "{name}" {{\n{body}}}\n')


def pipeline_files(template: Mapping[str, Any], documented: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the Terraform modules and the StackSet's parameters, by file name.

    The arguments are stack templates as plain data: the least-privilege one, which has all
    parameters, and the documented one. The modules have the format of `terraform fmt`. They have a
    variable for each parameter, except LoadBalancerArns in the StackSet: an ARN belongs to only one
    account, so a StackSet covers all load balancers. Raises BuildError for a parameter that cannot
    be a Terraform variable, or that only the documented template has.
    """
    for name in sorted(documented["Parameters"].keys() - template["Parameters"].keys()):
        raise BuildError(
            f"Only the documented stack template has the parameter {name}.",
            "Add it to both, because the Terraform modules use either template.",
        )
    variables = [_variable(name, each) for name, each in template["Parameters"].items()]
    values = {each.parameter: each.value for each in variables}
    stack = _module("stack.tf", variables, values, documented)
    of_one_account = [each for each in variables if each.parameter != _LOAD_BALANCERS]
    values[_LOAD_BALANCERS] = hcl_string(EVERY_LOAD_BALANCER)
    texts = {
        TERRAFORM: "\n".join((stack, *map(_output, template["Outputs"]))),
        TERRAFORM_STACK_SET: _module("stack-set.tf", of_one_account, values, documented),
        STACK_SET_PARAMETERS: _stack_set_parameters(template),
    }
    return {name: text.encode() for name, text in texts.items()}


def _stack_set_parameters(template: Mapping[str, Any]) -> str:
    """Return every parameter in the format of the AWS CLI's `--parameters file://…`.

    LoadBalancerArns is `*`. Any other parameter without a default is empty; CloudFormation refuses
    it until somebody fills it in.
    """
    values = {name: str(each.get("Default", "")) for name, each in template["Parameters"].items()}
    values[_LOAD_BALANCERS] = EVERY_LOAD_BALANCER
    return canonical.dumps(
        [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    )


def _module(
    file: str,
    variables: list[_Variable],
    values: Mapping[str, str],
    documented: Mapping[str, Any],
) -> str:
    """Return a Terraform module. Raises BuildError for a variable that Terraform refuses."""
    lacking = [name for name in values if name not in documented["Parameters"]]
    optional = [e for e in variables if e.parameter in lacking and e.default is not None]
    unset = " && ".join(f"{each.value} == {each.default}" for each in optional) or "true"
    names = ", ".join(each.parameter for each in optional) or "them"
    width = max(map(len, values))
    filled = {
        "VERSION": __version__,
        "VARIABLES": "\n".join(each.block for each in variables),
        "VALUES": "\n".join(f"    {name:<{width}} = {value}" for name, value in values.items()),
        "LACKING": ", ".join(map(hcl_string, lacking)),
        "PRECONDITION": _PRECONDITION % (unset, names),
    }
    outer, inner = ((_FOLDER / each).read_text("utf-8") for each in (file, "parameters.tf"))
    text = outer.replace("@PARAMETERS@", inner)
    text = re.sub("@([A-Z]+)@", lambda found: filled[found[1]], text)
    _check_names(text, variables)
    return text


def _check_names(text: str, variables: list[_Variable]) -> None:
    for name, number in Counter(re.findall(r'(?m)^variable "(\w+)"', text)).items():
        if number > 1 or name in _RESERVED:
            parameters = (each.parameter for each in variables if each.name == name)
            raise BuildError(
                f"The Terraform modules cannot have a variable {name!r} for the parameter"
                f" {', '.join(parameters)}.",
                "Give the parameter another name.",
            )


def _output(name: str) -> str:
    return (
        f'output "{_snake(name)}" {{\n'
        f'  value = try(aws_cloudformation_stack.logs_analysis.outputs["{name}"], null)\n}}\n'
    )


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
