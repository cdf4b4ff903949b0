"""List the regions, and make the links, commands and Terraform block that launch a stack.

This module lists the regions, so that another version of botocore cannot change the page. The
command line can also launch in unlisted regions. The console has a separate host for each region.

Each value in a command is quoted. The HTML element around a value records the value's name and
quoting, so that launch.js can insert the customer's own value. Words in capitals stand for unknown
values.
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlencode

from dt_logs_cfn import __version__

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


@dataclass(frozen=True)
class Partition:
    """An AWS partition: its regions, and the suffix of its console's host names."""

    id: str
    name: str
    console: str
    regions: tuple[tuple[str, str], ...]


PARTITIONS = (
    Partition(
        "aws",
        "AWS (commercial)",
        "console.aws.amazon.com",
        (
            ("af-south-1", "Africa (Cape Town)"),
            ("ap-east-1", "Asia Pacific (Hong Kong)"),
            ("ap-east-2", "Asia Pacific (Taipei)"),
            ("ap-northeast-1", "Asia Pacific (Tokyo)"),
            ("ap-northeast-2", "Asia Pacific (Seoul)"),
            ("ap-northeast-3", "Asia Pacific (Osaka)"),
            ("ap-south-1", "Asia Pacific (Mumbai)"),
            ("ap-south-2", "Asia Pacific (Hyderabad)"),
            ("ap-southeast-1", "Asia Pacific (Singapore)"),
            ("ap-southeast-2", "Asia Pacific (Sydney)"),
            ("ap-southeast-3", "Asia Pacific (Jakarta)"),
            ("ap-southeast-4", "Asia Pacific (Melbourne)"),
            ("ap-southeast-5", "Asia Pacific (Malaysia)"),
            ("ap-southeast-6", "Asia Pacific (New Zealand)"),
            ("ap-southeast-7", "Asia Pacific (Thailand)"),
            ("ca-central-1", "Canada (Central)"),
            ("ca-west-1", "Canada West (Calgary)"),
            ("eu-central-1", "Europe (Frankfurt)"),
            ("eu-central-2", "Europe (Zurich)"),
            ("eu-north-1", "Europe (Stockholm)"),
            ("eu-south-1", "Europe (Milan)"),
            ("eu-south-2", "Europe (Spain)"),
            ("eu-west-1", "Europe (Ireland)"),
            ("eu-west-2", "Europe (London)"),
            ("eu-west-3", "Europe (Paris)"),
            ("il-central-1", "Israel (Tel Aviv)"),
            ("me-central-1", "Middle East (UAE)"),
            ("me-south-1", "Middle East (Bahrain)"),
            ("mx-central-1", "Mexico (Central)"),
            ("sa-east-1", "South America (Sao Paulo)"),
            ("us-east-1", "US East (N. Virginia)"),
            ("us-east-2", "US East (Ohio)"),
            ("us-west-1", "US West (N. California)"),
            ("us-west-2", "US West (Oregon)"),
        ),
    ),
    Partition(
        "aws-us-gov",
        "AWS GovCloud (US)",
        "console.amazonaws-us-gov.com",
        (
            ("us-gov-east-1", "AWS GovCloud (US-East)"),
            ("us-gov-west-1", "AWS GovCloud (US-West)"),
        ),
    ),
    Partition(
        "aws-cn",
        "AWS China",
        "console.amazonaws.cn",
        (
            ("cn-north-1", "China (Beijing)"),
            ("cn-northwest-1", "China (Ningxia)"),
        ),
    ),
    Partition(
        "aws-eusc",
        "AWS European Sovereign Cloud",
        "console.amazonaws-eusc.eu",
        (("eusc-de-east-1", "AWS European Sovereign Cloud (Germany)"),),
    ),
)


def template_url(base_url: str, name: str) -> str:
    """Return a release file's URL; empty if the base URL is empty."""
    return f"{base_url}/{__version__}/{name}" if base_url else ""


def quick_create(
    partition: Partition, region: str, template: str, stack: str, parameters: Mapping[str, str]
) -> str:
    """Return a link to the console's filled-in form; launch.js makes the same link.

    A link cannot set the service role or the capabilities.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-console-create-stacks-quick-create-links.html
    """
    query = {
        "templateURL": template,
        "stackName": stack,
        **{f"param_{name}": value for name, value in parameters.items()},
    }
    # JavaScript's encodeURIComponent leaves the same characters unescaped.
    filled = urlencode(query, safe="!~*'()", quote_via=quote)
    return f"{console(partition, region)}#/stacks/quickcreate?{filled}"


def console(partition: Partition, region: str) -> str:
    """Return the URL of CloudFormation's console in a region."""
    return f"https://{region}.{partition.console}/cloudformation/home?region={region}"


def shell_json(value: str) -> str:
    """Quote a value as a JSON string, for a place inside a single-quoted argument."""
    return json.dumps(value).replace("'", "'\"'\"'")


def hcl_string(value: str) -> str:
    """Quote a value for Terraform, where `${` and `%{` in quotes begin a template.

    The `$` or `%` becomes `\\uNNNN`; Terraform's escape `$${` is ambiguous after another `$`.
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
    """Return, as markup, the stack's Terraform block; a comment names the provider's region."""
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
