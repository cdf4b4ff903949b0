"""List, for a security team, who may do what, and every permission of the Lambda function."""

from collections.abc import Iterable
from html import escape
from itertools import groupby

from dt_logs_cfn.pages.markup import folded, mono, table
from dt_logs_cfn.template import explain

_PARTIES = (
    (
        "CloudFormation, through the service role",
        '<a href="policies/cloudformation-role-lifecycle.json">cloudformation-role-lifecycle</a>:'
        " creates and removes the role, the function and the log group of stacks with that name",
    ),
    (
        "The Lambda function, through its own role",
        '<a href="policies/lambda-execution-least-privilege.json">lambda-execution-least-privilege'
        '</a>, or <a href="policies/lambda-execution-documented.json">lambda-execution-documented'
        "</a>",
    ),
    (
        "Elastic Load Balancing",
        "<code>s3:PutObject</code> below <code>AWSLogs/</code> and your account ID, only where the"
        " stack turned logging on",
    ),
    (
        "Data Theorem&#x27;s account",
        "<code>s3:GetObject</code> on the log objects of the load balancers that you name",
    ),
)


def rights() -> str:
    """Return who may do what, then the function's permissions, least privilege first."""
    least, documented = explain.rights(), explain.uses()
    return (
        table("Who may do what", ("Who", "Under which policy"), _PARTIES)
        + "<p>The service role in the onboarding document"
        ' (<a href="policies/cloudformation-role-documented.json">'
        "cloudformation-role-documented</a>) cannot run the stack on AWS: among other permissions,"
        " it lacks <code>iam:PassRole</code> and <code>lambda:InvokeFunction</code>. Use the"
        " template in step 1.</p>"
        f'<div class="sides"><div><h3>What the Lambda function may not do</h3>'
        f"{_bullets(explain.REFUSED)}</div><div><h3>What IAM cannot narrow further</h3>"
        f"{_bullets(explain.OPEN)}</div></div>"
        f"<h3>Every permission and its purpose</h3>"
        f"{folded(f'Least privilege: {len(least)} permissions', _least(least))}"
        f"{folded(f'As documented: {len(documented)} permissions', _documented(documented))}"
    )


def _least(found: Iterable[explain.Right]) -> str:
    def alike(right: explain.Right) -> tuple[str, ...]:
        return (right.step, right.why, right.condition, *right.on)

    rows = []
    for _, group in groupby(found, alike):
        rights = list(group)
        first = rights[0]
        rows.append(
            (
                f'{escape(first.step)}<div class="reason"><small>{escape(first.why)}</small></div>',
                "<br>".join(mono(each.action) for each in rights),
                "<br>".join(mono(on) for on in first.on),
                f'<div class="reason">{escape(first.condition)}</div>',
            )
        )
    names = ("To", "Actions", "On", "If")
    return table("Permissions of the Lambda function in the recommended template", names, rows)


def _documented(found: Iterable[explain.Use]) -> str:
    rows = [
        (mono(each.action), mono(each.on), escape(", ".join(each.steps)) or "not used")
        for each in found
    ]
    names = ("Action", "On", "Used to")
    return table("Permissions of the Lambda function in the documented template", names, rows)


def _bullets(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in items) + "</ul>"
