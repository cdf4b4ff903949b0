"""The launch page: what a customer reads, checks and launches from, made with the release.

Only the settings and the release's other files decide its content: no clock, no botocore.
"""

import hashlib
from html import escape

from dt_logs_cfn import __version__
from dt_logs_cfn.pages import launch_commands
from dt_logs_cfn.pages.contents import Contents
from dt_logs_cfn.pages.customized import changed, notice
from dt_logs_cfn.pages.drawing import drawings
from dt_logs_cfn.pages.form import data, launcher, unpublished
from dt_logs_cfn.pages.links import console, quick_create
from dt_logs_cfn.pages.markup import asset, code, document, folded, mono, table
from dt_logs_cfn.pages.regions import PARTITIONS, Partition
from dt_logs_cfn.pages.rights import rights
from dt_logs_cfn.settings import Privileges

_STACK = launch_commands.PLACEHOLDERS["StackName"]
_PARTS = (
    ("about", "Before you start"),
    ("flow", "What it sets up"),
    ("launch", "Launch"),
    ("rights", "Permissions"),
    ("verify", "Verify"),
    ("undo", "Undo"),
    ("files", "Files"),
)
_PROMISES = (
    "Load balancers that already log keep their bucket and prefix. Where logging is off, the stack"
    " turns it on, into a private bucket.",
    "Data Theorem&#x27;s account may get those load balancers&#x27; log files. It may not list,"
    " write or read anything else in the bucket.",
    "Your own policies, notifications, tags and lifecycle rules stay unchanged. If a run fails,"
    " CloudFormation rolls it back.",
    "The function runs when the stack changes or on a RefreshSchedule. The template contains its"
    " code.",
)
_FILES = (
    ("dt-logs-analysis.template.json", "the stack with least privilege (recommended)"),
    ("dt-logs-analysis-documented.template.json", "the stack with the documented permissions"),
    ("cloudformation-role.template.json", "the service role"),
    ("policies/", "an IAM policy to read or paste"),
    ("handler.zip", "the Lambda function&#x27;s code, the same bytes as in the templates"),
    ("terraform/", "Terraform modules for the stack and for a StackSet"),
    ("stackset-parameters.json", "parameters for a StackSet"),
)


def page(contents: Contents) -> str:
    """Return the page; equal contents give equal bytes."""
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in _PARTS)
    bodies = (
        asset("about.html"),
        f'{drawings()}<ul class="promises">{"".join(map("<li>{}</li>".format, _PROMISES))}</ul>',
        _launch(contents),
        rights() + changed(contents.customization),
        _verify(contents),
        _undo(),
        _files(contents),
    )
    sections = "".join(
        f'<section aria-labelledby="{name}"><h2 id="{name}">{title}</h2>{body}</section>'
        for (name, title), body in zip(_PARTS, bodies, strict=True)
    )
    body = (
        "<header><h1>Load balancer logs for Data Theorem Logs Analysis</h1>"
        "<p>Launch one CloudFormation stack in each account and region with application load"
        f" balancers. Release {__version__} of dt-logs-cfn."
        f"{notice(contents.customization)}</p>"
        f'<nav aria-label="On this page"><ul>{links}</ul></nav></header>'
        f"<main>{sections}</main><footer><p>dt-logs-cfn {__version__}. This page loads nothing"
        f" and does not send what you enter.</p></footer>{data(contents)}"
    )
    return document(
        f"Launch dt-logs-cfn {__version__}",
        asset("page.css") + asset("launch.css"),
        body,
        asset("launch.js"),
    )


def _launch(contents: Contents) -> str:
    plain = "".join(_plain(contents, each) for each in PARTITIONS)
    return (
        "<p>Four steps: service role, plan, deploy, status. CloudFormation acts through the"
        " <strong>service role</strong>, so nobody else needs its permissions. Allow"
        " <code>iam:PassRole</code> on it only for people who may launch this stack. The"
        f" <strong>stack</strong>&#x27;s name must start with <code>{_STACK}</code>, because the"
        " role cannot run any other. Install <code>dt-logs-cfn</code> with"
        " <code>pipx install dt-logs-cfn</code>; it needs Python 3.10 or newer.</p>"
        f"{launcher(contents)}"
        f"<h3>Links and commands for every region</h3>{plain}"
    )


def _plain(contents: Contents, partition: Partition) -> str:
    least = contents.templates[Privileges.LEAST_PRIVILEGE]
    url, role = (contents.url(partition.id, each) for each in (least, contents.role_template))
    values = contents.parameters(partition.id)
    if url:
        count = f"{len(partition.regions)} regions"
        said = (
            "<p>Each link opens the console&#x27;s form, filled in. Under"
            " <strong>Permissions</strong>, choose the service role. Then acknowledge both"
            f" capabilities.</p>{_links(contents, partition)}"
        )
    else:
        count = "not published"
        notice = f'<p class="notice">{unpublished(contents, partition.name)}</p>'
        said = f"{notice}{_consoles(partition)}"
    ours = ("status",) if contents.customization else ("plan", "deploy", "status")
    commands = (
        launch_commands.create_role(contents.role_template, role, values),
        *(launch_commands.ours(each, values) for each in ours),
        launch_commands.create_stack(least, url, values),
        launch_commands.terraform(least, url, values),
    )
    return folded(
        f"{escape(partition.name)}: {count}",
        f"{said}<p>The same steps as commands; replace the words in capitals. First come service"
        " role, plan, deploy and status, then the stack with the AWS CLI and with Terraform.</p>"
        f"{''.join(map(code, commands))}",
    )


def _consoles(partition: Partition) -> str:
    rows = [
        (
            f"{mono(region)}<br>{escape(title)}",
            f'<a href="{console(partition, region)}">Console</a>',
        )
        for region, title in partition.regions
    ]
    return table("CloudFormation in the console", ("Region", "Link"), rows, partition.name)


def _links(contents: Contents, partition: Partition) -> str:
    def link(region: str, name: str, what: str, stack: str, values: dict[str, str]) -> str:
        url = quick_create(partition, region, contents.url(partition.id, name), stack, values)
        return f'<a href="{escape(url)}" aria-label="{what} in {region}">{what}</a>'

    values = contents.parameters(partition.id)
    rows = [
        (
            f"{mono(region)}<br>{escape(title)}",
            link(region, contents.role_template, "Service role", launch_commands.ROLE_STACK, {}),
            link(region, contents.templates[Privileges.LEAST_PRIVILEGE], "Stack", _STACK, values),
            link(
                region,
                contents.templates[Privileges.DOCUMENTED],
                "Stack as documented",
                _STACK,
                values,
            ),
        )
        for region, title in partition.regions
    ]
    names = ("Region", "Step 1", "Step 2, least privilege", "or as documented")
    return table("Links to the console", names, rows, partition.name)


def _verify(contents: Contents) -> str:
    least = contents.templates[Privileges.LEAST_PRIVILEGE]
    urls = (contents.url(each.id, least) for each in PARTITIONS)
    place = next(filter(None, urls), least)
    by = f" --customize {contents.customization.by}" if contents.customization else ""
    signature = (
        "ssh-keygen -Y verify -f allowed_signers -r revoked_keys -I IDENTITY -n dt-logs-cfn \\\n"
        "  -s SHA256SUMS.sig < SHA256SUMS"
    )
    return (
        "<p>You need not trust this page. In the release&#x27;s folder, check that all files are"
        " intact:</p>"
        + code("sha256sum -c SHA256SUMS")
        + "<p>Check that the checksums are signed. <code>allowed_signers</code> has the identities"
        " and their keys; it is in the project&#x27;s source, in"
        " <code>src/dt_logs_cfn/signers</code>:</p>"
        + code(escape(signature))
        + "<p>Check that the source builds exactly this template, including the function. Nothing"
        " in the template is run. In a checkout of this version:</p>"
        + code(escape(f"python -m dt_logs_cfn verify {place}{by}"))
    )


def _undo() -> str:
    return (
        "<p>Delete the stack. Keep the service role until then: CloudFormation deletes the stack"
        " through it.</p>"
        + code(f"aws cloudformation delete-stack --region REGION --stack-name {_STACK}")
        + "<p>Logging that the stack turned on is turned off, and the prefix is restored. The"
        " notification, the subscription, the topic, the policy statements and an empty bucket are"
        " removed. Logging that was on before stays unchanged, and so do load balancers that"
        " somebody has changed since.</p>"
        "<p>A bucket with logs stays, private, and the logs expire. The documented template also"
        " leaves the topic, its subscription and the function&#x27;s log group, because its role"
        " may not delete them. <code>dt-logs-cfn status</code> names what stays.</p>"
    )


def _files(contents: Contents) -> str:
    rows = [
        (
            f"{_file_link(name)}<br><small>{_what(name)}</small>",
            f"{len(content):,}",
            mono(hashlib.sha256(content).hexdigest()),
        )
        for name, content in sorted(contents.files.items())
    ]
    names = ("File", "Bytes", "SHA-256")
    return (
        table("Files of this release", names, rows)
        + f"<p>{_file_link('manifest.json')} and {_file_link('SHA256SUMS')} list these files and"
        " this page.</p>"
    )


def _what(name: str) -> str:
    return next((text for start, text in _FILES if name.startswith(start)), "")


def _file_link(name: str) -> str:
    return f'<a href="{escape(name)}">{escape(name)}</a>'
