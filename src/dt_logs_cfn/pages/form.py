"""Make the launch page's form and what its script fills in; hidden until the script runs."""

import json
from html import escape

from dt_logs_cfn import __version__
from dt_logs_cfn.pages import launch_commands
from dt_logs_cfn.pages.contents import Contents
from dt_logs_cfn.pages.markup import code
from dt_logs_cfn.pages.regions import PARTITIONS
from dt_logs_cfn.settings import Privileges
from dt_logs_handler.names import HTTPS_URL

_FIRST = "us-east-1"


def launcher(contents: Contents) -> str:
    """Return the form, and the links and commands made from it."""
    return (
        '<div id="launcher" class="launcher" hidden>'
        f'<form id="form" aria-label="What to launch">{_where()}{_privileges()}'
        f"{_vendor()}{_customer()}</form>"
        f'<div class="made">{_status(contents)}<div id="result">{_role(contents)}'
        f"{_stack(contents)}</div></div></div>"
    )


def data(contents: Contents) -> str:
    """Return the script's data about this release, as a block that is not run."""
    found = {
        "version": __version__,
        "httpsUrl": HTTPS_URL,
        "placeholders": launch_commands.PLACEHOLDERS,
        "roleStack": launch_commands.ROLE_STACK,
        "templates": {
            **{each.value: name for each, name in contents.templates.items()},
            "role": contents.role_template,
        },
        "partitions": {
            each.id: {
                "console": each.console,
                "baseUrl": contents.settings.vendor(each.id).base_url,
                "parameters": contents.parameters(each.id),
            }
            for each in PARTITIONS
        },
    }
    text = json.dumps(found, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="release">{text}</script>'


def unpublished(contents: Contents, partition: str) -> str:
    """Return the text for a partition in which the release is not published."""
    least, documented = (
        contents.templates[each] for each in (Privileges.LEAST_PRIVILEGE, Privileges.DOCUMENTED)
    )
    return (
        f"This release is not published for {escape(partition)}. Download the"
        f' <a href="{contents.role_template}">service role template</a> and the stack template'
        f' (<a href="{least}">least privilege</a> or <a href="{documented}">as documented</a>).'
        " Run the commands in the folder with these files, or upload them in the console."
    )


def _where() -> str:
    groups = "".join(
        f'<optgroup label="{escape(each.name)}">'
        + "".join(
            f'<option value="{region}" data-partition="{each.id}"'
            f"{' selected' if region == _FIRST else ''}>{region}: {escape(name)}</option>"
            for region, name in each.regions
        )
        + "</optgroup>"
        for each in PARTITIONS
    )
    return (
        '<fieldset><legend>Where</legend><div class="field"><label for="Region">Region of your'
        f' load balancers</label><select id="Region">{groups}</select></div></fieldset>'
    )


def _privileges() -> str:
    choices = (
        (
            Privileges.LEAST_PRIVILEGE,
            "Least privilege",
            "recommended: only the permissions it needs",
        ),
        (
            Privileges.DOCUMENTED,
            "As documented",
            "the policy in the onboarding document, with s3:*",
        ),
    )
    radios = "".join(
        f'<label class="choice"><input type="radio" name="privileges" value="{each.value}"'
        f"{' checked' if each is Privileges.LEAST_PRIVILEGE else ''}>"
        f"<span>{name} <small>{hint}</small></span></label>"
        for each, name, hint in choices
    )
    return f"<fieldset><legend>Permissions of the Lambda</legend>{radios}</fieldset>"


def _vendor() -> str:
    return (
        "<fieldset><legend>What Data Theorem sent you</legend>"
        + _field("DataTheoremAccountId", "AWS account ID", "12 digits", "numeric")
        + _field("NotificationEndpoint", "Endpoint", "An https URL or the ARN of an SQS queue")
        + "</fieldset>"
    )


def _customer() -> str:
    return (
        "<fieldset><legend>In your account</legend>"
        + _field(
            "LoadBalancerArns",
            "Load balancer ARNs",
            "One per line or comma-separated; * for all in this account and region",
            lines=4,
        )
        + _field("RoleArn", "Service role ARN", "Step 1 prints it")
        + _field(
            "StackName", "Stack name", "Starts with dt-logs-analysis", value="dt-logs-analysis"
        )
        + "</fieldset>"
    )


def _field(
    name: str, label: str, hint: str, mode: str = "text", lines: int = 0, value: str = ""
) -> str:
    common = (
        f'id="{name}" spellcheck="false" autocapitalize="off" inputmode="{mode}"'
        f' aria-describedby="{name}-hint {name}-error"'
    )
    control = (
        f'<textarea {common} rows="{lines}"></textarea>'
        if lines
        else f'<input type="text" {common} value="{value}">'
    )
    return (
        f'<div class="field"><label for="{name}">{label}</label>'
        f'<p class="hint" id="{name}-hint">{hint}</p>{control}'
        f'<p class="error" id="{name}-error"></p></div>'
    )


def _status(contents: Contents) -> str:
    notices = "".join(
        f'<p class="notice" data-unpublished="{each.id}" hidden>'
        f"{unpublished(contents, each.name)}</p>"
        for each in PARTITIONS
    )
    return (
        f'<p id="status" class="state" role="status" aria-live="polite"></p>{notices}'
        '<p><a class="button" id="console-link" hidden>Open CloudFormation in the console</a></p>'
    )


def _role(contents: Contents) -> str:
    return (
        "<h3>1. Create the service role, once for each account and region</h3>"
        '<p data-published hidden><a class="button" id="role-link">Create the service role in the'
        " console</a></p>"
        + _copied(
            "role-cli",
            "AWS CLI",
            "Commands that create the service role",
            launch_commands.create_role(contents.role_template, "", {}),
        )
    )


def _stack(contents: Contents) -> str:
    template = contents.templates[Privileges.LEAST_PRIVILEGE]
    return (
        "<h3>2. Plan: see what would change</h3><p>Reads your account with your credentials and"
        " writes nothing.</p>"
        + _ours(contents, "plan")
        + "<h3>3. Deploy, in one of these ways</h3>"
        + _ours(contents, "deploy")
        + '<div data-published hidden><h4>Console</h4><p><a class="button" id="stack-link">Create'
        " the stack in the console</a></p><p>A link cannot fill in the whole form. Under"
        " <strong>Permissions</strong>, choose the service role. Then acknowledge both"
        " capabilities.</p></div>"
        + _copied(
            "stack-cli",
            "AWS CLI",
            "Command that creates the stack",
            launch_commands.create_stack(template, "", {}),
        )
        + _copied(
            "stack-terraform",
            "Terraform",
            "Block that creates the stack",
            launch_commands.terraform(template, "", {}),
        )
        + "<h3>4. Status: check that logs flow</h3><p>Each finding comes with its fix.</p>"
        + _copied(
            "status-cli", "dt-logs-cfn", "Command that checks", launch_commands.ours("status", {})
        )
        + '<p id="copied" class="hint" role="status" aria-live="polite"></p>'
    )


def _ours(contents: Contents, command: str) -> str:
    if contents.customization:
        return f"<p><code>dt-logs-cfn {command}</code> does not take customized templates.</p>"
    made = launch_commands.ours(command, {})
    return _copied(command, "dt-logs-cfn", f"Command that runs {command}", made)


def _copied(name: str, title: str, label: str, markup: str) -> str:
    return (
        f'<div class="bar"><h4>{title}</h4>'
        f'<button type="button" data-copy="{name}" aria-label="Copy: {label}">Copy</button></div>'
        f"{code(markup, name)}"
    )
