"""The launch page: what a customer reads, checks and launches from, made with the release.

Nothing but the settings and the release's other files decides it: no clock, no botocore.
"""

import hashlib
from html import escape

from dt_logs_cfn import __version__
from dt_logs_cfn.pages import launch_commands
from dt_logs_cfn.pages.contents import Contents
from dt_logs_cfn.pages.customized import changed, notice
from dt_logs_cfn.pages.drawing import drawings
from dt_logs_cfn.pages.form import data, launcher, unpublished
from dt_logs_cfn.pages.links import quick_create
from dt_logs_cfn.pages.markup import asset, code, document, mono, table
from dt_logs_cfn.pages.regions import PARTITIONS, Partition
from dt_logs_cfn.pages.rights import rights
from dt_logs_cfn.settings import Privileges

_STACK = launch_commands.PLACEHOLDERS["StackName"]
_PARTS = (
    ("flow", "What it sets up"),
    ("launch", "Launch"),
    ("rights", "Rights"),
    ("verify", "Verify"),
    ("undo", "Undo"),
    ("files", "Files"),
)
_PROMISES = (
    "A load balancer that logs already goes on as it did. One that does not gets its logs turned"
    " on, into a private bucket.",
    "Data Theorem&#x27;s account may get those load balancers&#x27; log objects: no listing, no"
    " writing, nothing else in the bucket.",
    "What is yours stays: policies, notifications, tags and lifecycle rules come out as they went"
    " in, and a run that fails takes back what it did.",
    "The function runs when the stack changes, and at no other time. Its source is inside the"
    " template.",
)
_FILES = (
    ("dt-logs-analysis.template.json", "the stack, least privilege: the one that we recommend"),
    ("dt-logs-analysis-documented.template.json", "the stack, privileges as documented"),
    ("cloudformation-role.template.json", "the service role"),
    ("policies/", "an IAM policy, to read or to paste"),
    ("handler.zip", "the Lambda function&#x27;s code, byte for byte as in the templates"),
    ("terraform/", "Terraform modules: of the stack, and of a StackSet"),
    ("stackset-parameters.json", "parameters for a StackSet"),
)


def page(contents: Contents) -> str:
    """Return the page; equal contents give equal bytes."""
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in _PARTS)
    bodies = (
        _flow(),
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
        "<p>One CloudFormation stack, in the account and region of your application load"
        f" balancers, run through a service role. Release {__version__} of dt-logs-cfn."
        f"{notice(contents.customization)}</p>"
        f'<nav aria-label="On this page"><ul>{links}</ul></nav></header>'
        f"<main>{sections}</main><footer><p>dt-logs-cfn {__version__}. This page loads nothing,"
        f" and sends nothing that you enter.</p></footer>{data(contents)}"
    )
    return document(
        f"Launch dt-logs-cfn {__version__}",
        asset("page.css") + asset("launch.css"),
        body,
        asset("launch.js"),
    )


def _flow() -> str:
    promises = "".join(f"<li>{each}</li>" for each in _PROMISES)
    return f'{drawings()}<ul class="promises">{promises}</ul>'


def _launch(contents: Contents) -> str:
    plain = "".join(_plain(contents, each) for each in PARTITIONS)
    return (
        "<p>Two steps. Through the <strong>service role</strong> CloudFormation acts, so that"
        " nobody needs these rights for good; give <code>iam:PassRole</code> on it only to those"
        " who may launch such stacks. The <strong>stack</strong>&#x27;s name begins with"
        f" <code>{_STACK}</code>: the role may run no other.</p>"
        f"{launcher(contents)}"
        f"<h3>Plain links and commands, by region</h3>{plain}"
    )


def _plain(contents: Contents, partition: Partition) -> str:
    least = contents.templates[Privileges.LEAST_PRIVILEGE]
    url, role = (contents.url(partition.id, each) for each in (least, contents.role_template))
    values = contents.parameters(partition.id)
    where = partition.name
    if url:
        count = f"{len(partition.regions)} regions"
        said = (
            "<p>Each link opens the console&#x27;s form, filled in. Under"
            " <strong>Permissions</strong> choose the service role, then acknowledge both"
            f" capabilities.</p>{_links(contents, partition)}"
        )
    else:
        count = "not published"
        said = f'<p class="notice">{unpublished(contents, where)}</p>'
    return (
        f"<details><summary>{escape(where)}: {count}</summary>{said}"
        "<p>By command, with your values for what is in capitals: the service role, the stack, and"
        " the stack by Terraform.</p>"
        f"{code(launch_commands.create_role(contents.role_template, role, values))}"
        f"{code(launch_commands.create_stack(least, url, values))}"
        f"{code(launch_commands.terraform(least, url, values))}</details>"
    )


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
        "<p>Nothing here has to be believed. In the folder of the release, that all files are"
        " whole:</p>"
        + code("sha256sum -c SHA256SUMS")
        + "<p>That the checksums are signed. <code>allowed_signers</code> names identities and"
        " their keys; it is in the project&#x27;s source, in"
        " <code>src/dt_logs_cfn/signers</code>:</p>"
        + code(escape(signature))
        + "<p>That a template is what the source builds, the function inside it included; nothing"
        " of it is run. In a checkout of this version:</p>"
        + code(escape(f"python -m dt_logs_cfn verify {place}{by}"))
    )


def _undo() -> str:
    return (
        "<p>Delete the stack, and the service role&#x27;s stack after it, if at all: the stack"
        " needs it to be deleted.</p>"
        + code(f"aws cloudformation delete-stack --region REGION --stack-name {_STACK}")
        + "<p>Logging that the stack turned on is turned off, with the prefix as it was;"
        " notification, subscription, topic, statements and an empty bucket go. Logging that was"
        " on before, and load balancers that somebody has changed since, are left alone.</p>"
        "<p>A bucket that holds logs stays: they are yours. It stays private, and they expire."
        " Under the documented privileges the topic, its subscription and the function&#x27;s log"
        " group stay too, since that role may not delete them. The answer in the stack&#x27;s"
        " events names what stays.</p>"
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
        + f"<p>{_file_link('manifest.json')} and {_file_link('SHA256SUMS')} name these files and"
        " this page.</p>"
    )


def _what(name: str) -> str:
    return next((text for start, text in _FILES if name.startswith(start)), "")


def _file_link(name: str) -> str:
    return f'<a href="{escape(name)}">{escape(name)}</a>'
