"""Make the launch page, which describes a release, and shows how to launch and verify it.

The page depends only on the version and the `Contents`, not on the clock or on botocore. This
module fills in the parts of `launch.html` that depend on the release. The page's form is hidden
until the script runs.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby

from dt_logs_cfn import __version__
from dt_logs_cfn.pages import launch_commands
from dt_logs_cfn.pages.launch_commands import (
    PARTITIONS,
    PLACEHOLDERS,
    ROLE_STACK,
    Partition,
    console,
    quick_create,
    template_url,
)
from dt_logs_cfn.pages.markup import asset, code, document, filled, folded, mono, table
from dt_logs_cfn.settings import Settings
from dt_logs_cfn.template import policies
from dt_logs_cfn.template.customizing import Customization
from dt_logs_cfn.template.templates import TemplateKind
from dt_logs_handler.names import HTTPS_URL

_LEAST, _DOCUMENTED, _ROLE = (
    TemplateKind.LEAST_PRIVILEGE,
    TemplateKind.DOCUMENTED,
    TemplateKind.SERVICE_ROLE,
)
_FIRST_REGION = "us-east-1"
_FILES = (
    ("dt-logs-analysis.template.json", "the stack with least privilege (recommended)"),
    ("dt-logs-analysis-documented.template.json", "the stack with the documented permissions"),
    ("cloudformation-role.template.json", "the service role"),
    ("policies/", "an IAM policy to read or paste"),
    ("handler.zip", "the Lambda function&#x27;s code, the same bytes as in the templates"),
    ("terraform/", "Terraform modules for the stack and for a StackSet"),
    ("stackset-parameters.json", "parameters for a StackSet"),
)


@dataclass(frozen=True)
class Contents:
    """A release's settings, its files by name, its templates' names, and their customization."""

    settings: Settings
    files: Mapping[str, bytes]
    templates: Mapping[TemplateKind, str]
    customization: Customization | None = None

    def url(self, partition: str, kind: TemplateKind) -> str:
        """Return a template's URL in a partition; empty if it is not published there."""
        return template_url(self.settings.vendor(partition).base_url, self.templates[kind])

    def parameters(self, partition: str) -> dict[str, str]:
        """Return the parameters that the vendor has set for a partition."""
        vendor = self.settings.vendor(partition)
        found = {
            "DataTheoremAccountId": vendor.vendor_account_id,
            "NotificationEndpoint": vendor.notification_endpoint,
        }
        return {name: value for name, value in found.items() if value}


def page(contents: Contents) -> str:
    """Return the page; equal contents give equal bytes."""
    least, role = contents.templates[_LEAST], contents.templates[_ROLE]
    changes, rights, uses = contents.customization, policies.rights(), policies.uses()
    body = {
        "VERSION": __version__,
        "NOTICE": f" Its templates are customized by {mono(changes.by)}." if changes else "",
        "ABOUT": asset("about.html"),
        "FLOW": filled("flow.html"),
        "REGIONS": "".join(map(_options, PARTITIONS)),
        "UNPUBLISHED": "".join(
            f'<p class="notice" data-unpublished="{each.id}" hidden>'
            f"{_unpublished(contents, each)}</p>"
            for each in PARTITIONS
        ),
        "CREATE_ROLE": launch_commands.create_role(role, "", {}),
        "PLAN": _ours(contents, "plan"),
        "DEPLOY": _ours(contents, "deploy"),
        "CREATE_STACK": launch_commands.create_stack(least, "", {}),
        "TERRAFORM": launch_commands.terraform(least, "", {}),
        "STATUS": launch_commands.ours("status", {}),
        "PARTITIONS": "".join(_plain(contents, each) for each in PARTITIONS),
        "REFUSED": _bullets(policies.REFUSED),
        "OPEN": _bullets(policies.OPEN),
        "LEAST": folded(f"Least privilege: {len(rights)} permissions", _least(rights)),
        "DOCUMENTED": folded(f"As documented: {len(uses)} permissions", _documented(uses)),
        "CHANGED": _changed(changes) if changes else "",
        "VERIFY": _verify(contents),
        "FILES": _files(contents),
        "DATA": _data(contents),
    }
    return document(
        f"Launch dt-logs-cfn {__version__}",
        asset("page.css") + asset("launch.css"),
        filled("launch.html", **body),
        asset("launch.js"),
    )


def _data(contents: Contents) -> str:
    """Return the release's data for the script, as a block that browsers do not run."""
    found = {
        "version": __version__,
        "httpsUrl": HTTPS_URL,
        "placeholders": PLACEHOLDERS,
        "roleStack": ROLE_STACK,
        "templates": {
            _LEAST.value: contents.templates[_LEAST],
            _DOCUMENTED.value: contents.templates[_DOCUMENTED],
            "role": contents.templates[_ROLE],
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


def _options(partition: Partition) -> str:
    options = "".join(
        f'<option value="{region}" data-partition="{partition.id}"'
        f"{' selected' if region == _FIRST_REGION else ''}>{region}: {escape(name)}</option>"
        for region, name in partition.regions
    )
    return f'<optgroup label="{escape(partition.name)}">{options}</optgroup>'


def _unpublished(contents: Contents, partition: Partition) -> str:
    """Return the text for a partition in which the release is not published."""
    names = contents.templates
    return (
        f"This release is not published for {escape(partition.name)}. Download the"
        f' <a href="{names[_ROLE]}">service role template</a> and the stack template'
        f' (<a href="{names[_LEAST]}">least privilege</a> or'
        f' <a href="{names[_DOCUMENTED]}">as documented</a>).'
        " Run the commands in the folder with these files, or upload them in the console."
    )


def _ours(contents: Contents, command: str) -> str:
    if contents.customization:
        return f"<p><code>dt-logs-cfn {command}</code> does not take customized templates.</p>"
    return (
        '<div class="bar"><h4>dt-logs-cfn</h4>'
        f'<button type="button" data-copy="{command}"'
        f' aria-label="Copy: Command that runs {command}">Copy</button></div>'
        f"{code(launch_commands.ours(command, {}), command)}"
    )


def _plain(contents: Contents, partition: Partition) -> str:
    url, role = (contents.url(partition.id, each) for each in (_LEAST, _ROLE))
    values, names = contents.parameters(partition.id), contents.templates
    if url:
        count = f"{len(partition.regions)} regions"
        said = (
            "<p>Each link opens the console&#x27;s form, filled in. Under"
            " <strong>Permissions</strong>, choose the service role. Then acknowledge both"
            " capabilities.</p>"
        )
    else:
        count = "not published"
        said = f'<p class="notice">{_unpublished(contents, partition)}</p>'
    ours = ("status",) if contents.customization else ("plan", "deploy", "status")
    commands = (
        launch_commands.create_role(names[_ROLE], role, values),
        *(launch_commands.ours(each, values) for each in ours),
        launch_commands.create_stack(names[_LEAST], url, values),
        launch_commands.terraform(names[_LEAST], url, values),
    )
    return folded(
        f"{escape(partition.name)}: {count}",
        f"{said}{_links(contents, partition)}"
        "<p>The commands for these steps, in this order: service role, plan, deploy and status;"
        " then the stack with the AWS CLI, and with Terraform. Replace the words in capitals.</p>"
        f"{''.join(map(code, commands))}",
    )


def _links(contents: Contents, partition: Partition) -> str:
    """Return a table of links to the console in every region; if published, to filled-in forms."""
    published = bool(contents.url(partition.id, _LEAST))
    title, names = "CloudFormation in the console", ["Region", "Link"]
    if published:
        title = "Links to the console"
        names = ["Region", "Step 1", "Step 2, least privilege", "or as documented"]

    def links(region: str) -> Iterator[str]:
        if not published:
            yield f'<a href="{console(partition, region)}">Console</a>'
            return
        values = contents.parameters(partition.id)
        for kind, what, stack, given in (
            (_ROLE, "Service role", ROLE_STACK, {}),
            (_LEAST, "Stack", PLACEHOLDERS["StackName"], values),
            (_DOCUMENTED, "Stack as documented", PLACEHOLDERS["StackName"], values),
        ):
            url = quick_create(partition, region, contents.url(partition.id, kind), stack, given)
            yield f'<a href="{escape(url)}" aria-label="{what} in {region}">{what}</a>'

    rows = [
        (f"{mono(region)}<br>{escape(name)}", *links(region)) for region, name in partition.regions
    ]
    return table(title, names, rows, partition.name)


def _verify(contents: Contents) -> str:
    urls = (contents.url(each.id, _LEAST) for each in PARTITIONS)
    place = next(filter(None, urls), contents.templates[_LEAST])
    by = f" --customize {contents.customization.by}" if contents.customization else ""
    return code(escape(f"python -m dt_logs_cfn verify {place}{by}"))


def _files(contents: Contents) -> str:
    rows = [
        (
            f'<a href="{escape(name)}">{escape(name)}</a><br><small>'
            f"{next((text for start, text in _FILES if name.startswith(start)), '')}</small>",
            f"{len(content):,}",
            mono(hashlib.sha256(content).hexdigest()),
        )
        for name, content in sorted(contents.files.items())
    ]
    return table("Files of this release", ("File", "Bytes", "SHA-256"), rows)


def _least(found: Iterable[policies.Right]) -> str:
    def alike(right: policies.Right) -> tuple[str, ...]:
        return (right.step, right.why, right.condition, *right.on)

    rows = []
    for _, group in groupby(found, alike):
        rights = list(group)
        first = rights[0]
        rows.append(
            (
                f'{escape(first.step)}<div class="reason"><small>{escape(first.why)}</small></div>',
                _names(each.action for each in rights),
                _names(first.on),
                f'<div class="reason">{escape(first.condition)}</div>',
            )
        )
    names = ("To", "Actions", "On", "If")
    return table("Permissions of the Lambda function in the recommended template", names, rows)


def _documented(found: Iterable[policies.Use]) -> str:
    rows = [
        (mono(each.action), mono(each.on), escape(", ".join(each.steps)) or "not used")
        for each in found
    ]
    names = ("Action", "On", "Used to")
    return table("Permissions of the Lambda function in the documented template", names, rows)


def _changed(changes: Customization) -> str:
    """Return, as markup, the places that a customization changes and the statements it adds."""
    places = "".join(
        f"<li>{escape(kind.value)}: {mono(each)}</li>"
        for kind, found in changes.places.items()
        for each in found
    )
    rows = [
        (
            escape(kind.value),
            mono(each.resource),
            mono(each.who),
            f"{'Denied: ' if each.effect == 'Deny' else ''}{_names(each.actions)}",
            _names(each.on),
            escape(each.condition),
        )
        for kind, found in changes.rights.items()
        for each in found
    ]
    names = ("Template", "Resource", "Who", "Actions", "On", "If")
    rights = table("Policy statements that the customization adds", names, rows)
    return f"<h3>What {mono(changes.by)} changes</h3><ul>{places}</ul>{rights}"


def _names(found: Iterable[str]) -> str:
    return "<br>".join(map(mono, found))


def _bullets(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in items) + "</ul>"
