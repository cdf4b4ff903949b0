"""Our templates, with changes that a command must detect."""

import base64
import bz2
import json
from typing import Any

from dt_logs_cfn import Settings, Vendor
from dt_logs_cfn.template import embedding

NAME = "dt-logs-analysis.template.json"
DOCUMENTED = "dt-logs-analysis-documented.template.json"
SERVICE_ROLE = "cloudformation-role.template.json"
ROLE = "DTLogsAnalysisLambdaExecutionRole"
FUNCTION = "DTLogsAnalysisLambdaFunction"
# The settings of the release.cfg in a test's folder.
SETTINGS = Settings((Vendor("aws", "111122223333", "https://logs.example.com/alb"),))
# A module with a function that customizes the templates.
CUSTOMIZATION = """\
from troposphere import Output


def add(template, kind):
    template.add_output(Output("Owner", Value="edge"))
"""

Template = dict[str, Any]


def code_of(template: Template) -> dict[str, str]:
    code: dict[str, str] = template["Resources"][FUNCTION]["Properties"]["Code"]
    return code


def statements_of(template: Template) -> list[dict[str, Any]]:
    """Return the statements of the Lambda's role."""
    policy = template["Resources"][ROLE]["Properties"]["Policies"][0]["PolicyDocument"]
    found: list[dict[str, Any]] = policy["Statement"]
    return found


def with_a_right(template: Template, action: str = "iam:*") -> Template:
    statements_of(template).append({"Effect": "Allow", "Action": action, "Resource": "*"})
    return template


def with_source(template: Template, name: str, content: bytes) -> Template:
    """Replace or add one of the handler's source files in a template, and return the template."""
    sources = {**embedding.handler_files(), f"dt_logs_handler/{name}": content}
    code_of(template)["ZipFile"] = embedding.bootstrap(embedding._pack(sources))
    return template


def with_payload(template: Template, unpacked: bytes) -> Template:
    """Replace the handler in a template's bootstrap with this content; return the template."""
    packed = base64.b85encode(bz2.compress(unpacked)).decode().replace("$", ",")
    code_of(template)["ZipFile"] = f"{embedding._BEFORE}{packed}{embedding._AFTER}"
    return template


def template_in(content: bytes) -> Template:
    template: Template = json.loads(content)
    return template
