"""Make the commands and the Terraform block that launch a stack, with each value quoted.

An element around each value records its name and its quoting, so that launch.js can replace it with
the customer's own value. Unknown values are in capitals.
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from html import escape

PLACEHOLDERS = {
    "Region": "REGION",
    "StackName": "dt-logs-analysis",
    "RoleArn": "ARN_OF_THE_SERVICE_ROLE",
    "DataTheoremAccountId": "ACCOUNT",
    "NotificationEndpoint": "ENDPOINT",
    "LoadBalancerArns": "ARN,ARN",
    "Privileges": "least-privilege",
}
PARAMETERS = ("DataTheoremAccountId", "NotificationEndpoint", "LoadBalancerArns")
ROLE_STACK = "service-role-for-dt-logs-analysis"

_CAPABILITIES = "CAPABILITY_IAM CAPABILITY_NAMED_IAM"


def shell_json(value: str) -> str:
    """Quote a value as JSON inside a single-quoted argument."""
    return json.dumps(value).replace("'", "'\"'\"'")


def hcl_string(value: str) -> str:
    """Quote a value for Terraform, where `${` and `%{` in quotes begin an expression.

    Their first character is escaped, not doubled, because a doubled one after `$` is ambiguous.
    """

    def escaped(found: re.Match[str]) -> str:
        char = found[0]
        if char in '"\\':
            return f"\\{char}"
        return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"

    return '"' + re.sub(r'["\\]|[$%](?=\{)|[^ -~]', escaped, value) + '"'


_QUOTED: dict[str, Callable[[str], str]] = {
    "word": shlex.quote,
    "pair": shlex.quote,
    "json": shell_json,
    "hcl": hcl_string,
}


def create_stack(template: str, url: str, values: Mapping[str, str]) -> str:
    """Return, as markup, the command that creates the stack from a URL or, without one, a file."""
    word, quoted = _filler(values, "word"), _filler(values, "json")
    parameters = ",\n".join(
        f'    {{"ParameterKey": "{name}", "ParameterValue": {quoted(name)}}}' for name in PARAMETERS
    )
    return (
        f"aws cloudformation create-stack --region {word('Region')} \\\n"
        f"  --stack-name {word('StackName')} \\\n"
        f"  {_source('Template', template, url)} \\\n"
        f"  --role-arn {word('RoleArn')} \\\n"
        f"  --capabilities {_CAPABILITIES} \\\n"
        f"  --parameters '[\n{parameters}\n  ]'"
    )


def ours(command: str, values: Mapping[str, str]) -> str:
    """Return, as markup, our command `plan`, `deploy` or `status`; `status` has fewer options."""
    word, pair = _filler(values, "word"), _filler(values, "pair")
    options = [f"dt-logs-cfn {command} --region {word('Region')} --stack {word('StackName')}"]
    if command != "status":
        options.append(f"--privileges {word('Privileges')}")
        options += [f"--parameter {pair(name)}" for name in PARAMETERS]
    if command == "deploy":
        options.append(f"--role-arn {word('RoleArn')}")
    return " \\\n  ".join(options)


def create_role(template: str, url: str, values: Mapping[str, str]) -> str:
    """Return, as markup, the commands that create the service role and print its ARN."""
    region = _filler(values, "word")("Region")
    where = f"--region {region} \\\n  --stack-name {ROLE_STACK}"
    return (
        f"aws cloudformation create-stack {where} \\\n"
        f"  {_source('RoleTemplate', template, url)} \\\n"
        f"  --capabilities {_CAPABILITIES}\n"
        f"aws cloudformation wait stack-create-complete {where}\n"
        f"aws cloudformation describe-stacks {where} \\\n"
        "  --query &quot;Stacks[0].Outputs[?OutputKey==&#x27;RoleArn&#x27;].OutputValue&quot; \\\n"
        "  --output text"
    )


def terraform(template: str, url: str, values: Mapping[str, str]) -> str:
    """Return, as markup, the Terraform block, for a provider in the region."""
    quoted = _filler(values, "hcl")
    width = max(map(len, PARAMETERS))
    parameters = "".join(f"    {name:{width}} = {quoted(name)}\n" for name in PARAMETERS)
    local = f'template_body = file("${{path.module}}/{template}")'
    source = f"template_url = {hcl_string(url)}" if url else local
    capabilities = ", ".join(f'"{each}"' for each in _CAPABILITIES.split())
    return (
        f"# The provider's region: {quoted('Region')}\n"
        'resource "aws_cloudformation_stack" "dt_logs_analysis" {\n'
        f"  name         = {quoted('StackName')}\n"
        f"  iam_role_arn = {quoted('RoleArn')}\n"
        f"  capabilities = [{capabilities}]\n\n"
        f"  {_slot('Template', 'attribute', source)}\n\n"
        f"  parameters = {{\n{parameters}  }}\n}}"
    )


def _filler(values: Mapping[str, str], quoting: str) -> Callable[[str], str]:
    given = {**PLACEHOLDERS, **values}

    def filled(name: str) -> str:
        value = f"{name}={given[name]}" if quoting == "pair" else given[name]
        return _slot(name, quoting, _QUOTED[quoting](value))

    return filled


def _source(name: str, template: str, url: str) -> str:
    option = f"--template-url {shlex.quote(url)}" if url else f"--template-body file://{template}"
    return _slot(name, "option", option)


def _slot(name: str, quoting: str, text: str) -> str:
    return f'<span data-value="{name}" data-quoting="{quoting}">{escape(text)}</span>'
