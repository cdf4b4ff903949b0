"""Generate the documents' parts that come from the code's data and from the commands' output.

cog calls these functions from comments in docs/*.md. `tox -e checks` fails if a document differs
from what they return; `cog -r README.md docs/*.md` updates the documents.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from dt_logs_cfn import __version__, canonical
from dt_logs_cfn.release.build import TEMPLATE_LIMIT
from dt_logs_cfn.settings import FunctionSettings, Privileges, Settings
from dt_logs_cfn.template import embedding, grants, policies
from dt_logs_cfn.template.parameters import STACK_GROUPS
from dt_logs_cfn.template.policies import policy_document
from dt_logs_cfn.template.templates import stack_template
from dt_logs_handler import answer, aws, main, observe, register, request, run
from dt_logs_handler.names import Location, Stack, digest
from dt_logs_handler.register import (
    Registration,
    delivery_statement,
    tls_statement,
)
from dt_logs_handler.request import Endpoint, Properties, ReadScope
from dt_logs_rehearsal.account import Account

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "release.cfg"
RELEASE = f"build/{__version__}"
EXAMPLE = Stack(
    "arn:aws:cloudformation:us-east-1:123456789012:stack/dt-logs-analysis/"
    "6f1b2c34-5d67-48e9-a0b1-c2d3e4f50617",
    "aws",
    "us-east-1",
    "123456789012",
)


def parameters() -> str:
    """Return a table of the stack's parameters, grouped as in the console."""
    declared = stack_template(Settings.load(SETTINGS), Privileges.LEAST_PRIVILEGE).to_dict()
    rows = []
    grouped = {name for names in STACK_GROUPS.values() for name in names}
    others = tuple(name for name in declared["Parameters"] if name not in grouped)
    for title, names in (*STACK_GROUPS.items(), ("Other parameters", others)):
        rows.append((f"**{title}**", "", "", ""))
        for name in names:
            found = declared["Parameters"][name]
            takes = _literal(_breakable(_takes(found)))
            rows.append((f"`{name}`", _literal(found["Description"]), takes, _default(found)))
    return _table(("Parameter", "What it is", "Takes", "Default"), rows)


def quoted_session(*arguments: str) -> str:
    """Run a command in a folder with a new release; return the command line and its output."""
    return _block("console", f"$ dt-logs-cfn {' '.join(arguments)}\n", _printed(*arguments))


def lacking() -> str:
    """Return a table of the permissions that the stack needs but the documented role lacks."""
    documented = {
        action
        for statement in policy_document("cloudformation-role-documented")["Statement"]
        for action in statement["Action"]
    }
    rows = [
        (f"`{need.step}`", need.why, _actions(lacks))
        for need in grants.NEEDS
        if need.step in (grants.ROLE, grants.FUNCTION, grants.CUSTOM)
        and (lacks := [each for each in need.actions if each not in documented])
    ]
    return _table(("For", "To", "It lacks"), rows)


def rights() -> str:
    """Return a table of the least-privilege role's permissions and their purposes."""
    rows = [
        (step, _actions([*dict.fromkeys(each.action for each in found)]), on, why)
        for (step, why, on), found in groupby(
            policies.rights(), lambda each: (each.step, each.why, _where(each))
        )
    ]
    return _table(("Step", "Actions", "On, and if", "Why"), rows)


def _where(right: policies.Right) -> str:
    on = ", ".join(f"`{each}`" for each in right.on)
    return f"{on} if {right.condition}" if right.condition else on


def refused() -> str:
    """Return the list of actions that the least-privilege role does not allow."""
    return "".join(f"- {each}\n" for each in policies.REFUSED)


def left_open() -> str:
    """Return the list of permissions that IAM cannot narrow."""
    return "".join(f"- {each}\n" for each in policies.OPEN)


def scanner_findings() -> str:
    """Return the scanners' findings in the least-privilege template, and why each one stays."""
    found = json.loads((ROOT / "docs" / "scanner-findings.json").read_text("utf-8"))
    rows = [
        (scanner, f"`{name}`", why)
        for scanner, findings in found.items()
        for name, why in findings.items()
    ]
    return _table(("Scanner", "Finding", "Why it stays"), rows)


def uses() -> str:
    """Return the documented role's permissions, and the steps of the handler that use them."""
    rows = [
        (f"`{each.action}`", f"`{each.on}`", ", ".join(each.steps) or "never used")
        for each in policies.uses()
    ]
    known, used = policies.s3_actions()
    table = _table(("Action", "On", "Used by"), rows)
    return (
        f"{table}\n`s3:*` allows the {known} actions that awacs lists, on every bucket; {used} are"
        " used.\n"
    )


def statements() -> str:
    """Return example statements that the handler adds to a bucket policy."""
    own = Location(EXAMPLE.own_buckets[0], f"dt-logs-analysis/{EXAMPLE.tag}")
    adopted = Location("customers-logs", "alb")
    found = [
        _claim(own, frozenset()),
        _claim(adopted, frozenset(("app/web/0123456789abcdef",))),
        delivery_statement(own, EXAMPLE),
        tls_statement(own.bucket, EXAMPLE),
    ]
    return _block("json", canonical.dumps(found))


def figures() -> str:
    """Return the handler's time limits, size limits and constants."""
    rows = [
        ("time limit of a run", f"{FunctionSettings().timeout} s", "the function's `Timeout`"),
        (
            "time that CloudFormation waits for an answer",
            f"{request.SERVICE_TIMEOUT} s",
            "`ServiceTimeout`",
        ),
        (
            "time reserved for sending the answer",
            f"{main.ANSWER_RESERVE:.0f} s",
            "`ANSWER_RESERVE`",
        ),
        ("time for retrying a transient failure", f"{aws.PATIENCE:.0f} s a call", "`PATIENCE`"),
        (
            "time in which a denial counts as transient",
            f"{main.FRESH:.0f} s from the event",
            "`FRESH`",
        ),
        ("wait before reading back shared settings", f"{run.SETTLE:.0f} s", "`SETTLE`"),
        ("plans that must agree before a repair", f"{run.AGREEING}", "`AGREEING`"),
        ("load balancers handled at the same time", f"{main.WORKERS}", "`WORKERS`"),
        ("estimated time to read a load balancer", f"{observe.LOOK_EACH} s", "`LOOK_EACH`"),
        ("estimated time to turn on its logging", f"{run.TURN_EACH} s", "`TURN_EACH`"),
        (
            "time that an Update reserves for cleanup that its rollback cannot do",
            f"{run.LEAVE_RESERVE:.0f} s",
            "`LEAVE_RESERVE`",
        ),
        ("maximum size of a bucket policy", f"{register.LIMIT:,} bytes", "S3's limit"),
        ("maximum size of an answer", f"{answer.LIMIT:,} bytes", "CloudFormation's limit"),
        (
            "maximum size of a template passed directly",
            f"{TEMPLATE_LIMIT:,} bytes",
            "CloudFormation's limit",
        ),
    ]
    return _table(("What", "Value", "Source"), rows)


_MERGED = "read right before the change, **for safety**: existing entries are kept"
_CALLS = {
    "elbv2:DescribeLoadBalancerAttributes": (
        "Does the load balancer exist, and where does it log?",
        "read again right before the change, **for safety**: nobody else has changed it",
    ),
    "elbv2:ModifyLoadBalancerAttributes": ("turn logging on; the answer holds the new attributes",),
    "s3:GetBucketTagging": (
        "Does the stack's bucket exist?",
        "**for safety**: the new bucket is ours",
        "read back: the tags",
    ),
    "s3:CreateBucket": ("the bucket, with its tags and ownership",),
    "s3:PutBucketPolicy": ("the registration, ELB's write access, TLS only",),
    "s3:PutBucketLifecycleConfiguration": ("the retention",),
    "sns:CreateTopic": ("the topic, with its policy",),
    "sns:Subscribe": ("the endpoint",),
    "s3:PutBucketNotificationConfiguration": ("the notification",),
    "s3:GetBucketPolicy": (_MERGED, "read back"),
    "s3:GetBucketNotificationConfiguration": (_MERGED, "read back"),
    "s3:GetPublicAccessBlock": ("**for safety**: S3 created the bucket private",),
    "s3:GetBucketPolicyStatus": ("**for safety**: the policy is not public",),
    "s3:GetBucketEncryption": ("**for safety**: S3 created it with SSE-S3",),
    "s3:GetBucketOwnershipControls": ("read back",),
    "s3:GetBucketLifecycleConfiguration": (_MERGED, "read back"),
    "sns:GetTopicAttributes": ("read back: the topic's policy",),
    "sns:ListSubscriptionsByTopic": ("read back: the subscription, and whether it is confirmed",),
}


def calls() -> str:
    """Return the API calls that onboard one load balancer, in order, with their purposes."""
    account = Account("123456789012", "eu-west-1")
    arn = account.add_load_balancer("web")
    made: list[str] = []

    def heard(service: str, operation: str, params: Mapping[str, Any]) -> None:
        made.append(f"{service}:{operation}")

    clients = (
        account.client("elbv2", before=heard),
        account.client("s3", before=heard),
        account.client("sns", before=heard),
    )
    now = int(account.clock())
    given = Properties(
        (arn,),
        "999988887777",
        Endpoint("https", "https://logs.example.com/in"),
        "",
        30,
        ReadScope.LOAD_BALANCER,
        (),
        Privileges.LEAST_PRIVILEGE,
        "",
        "",
    )
    stack = replace(EXAMPLE, region=account.region)
    traces = request.Traces(privileges=given.privileges)
    wanted = request.Request("Create", stack, now, given, traces, traces)
    clock = account.clock
    world = aws.Aws(*clients, clock, clock.sleep, Random(1), clock() + 900)
    run.run(wanted, world, lambda step, outcome: None)
    number = Counter[str]()
    rows: list[tuple[str, ...]] = []
    for each in made:
        what = _CALLS[each][number[each]]
        number[each] += 1
        rows.append((f"{len(rows) + 1}", f"`{each.partition(':')[2]}`", what))
    return _table(("", "Call", "Purpose"), rows)


def _claim(location: Location, load_balancers: frozenset[str]) -> Any:
    return Registration(
        EXAMPLE.tag,
        location,
        vendor="999988887777",
        endpoint="c0ffee00",
        load_balancers=load_balancers,
        time=1_800_000_000,
        asked=digest("*\n", 8),
        turned_on=location.mark is not None,
    ).statement(EXAMPLE)


def _takes(parameter: dict[str, Any]) -> str:
    match parameter:
        case {"ConstraintDescription": text}:
            return str(text).removesuffix(".")
        case {"AllowedValues": values}:
            return " or ".join(f"`{each}`" for each in values)
        case {"MinValue": least, "MaxValue": most}:
            return f"{least} to {most}"
    return f"Up to {parameter['MaxLength']} characters"


def _default(parameter: dict[str, Any]) -> str:
    match parameter:
        case {"Default": ""}:
            return "empty"
        case {"Default": value}:
            return f"`{value}`"
    return "**required**"


def _printed(*arguments: str) -> str:
    """Build a release in a new folder, run a command there, and return the command's stdout.

    Raises CalledProcessError if the build or the command fails.
    """
    with TemporaryDirectory() as folder:
        Path(folder, SETTINGS.name).write_bytes(SETTINGS.read_bytes())
        for each in (("build",), arguments):
            done = subprocess.run(
                [sys.executable, "-m", "dt_logs_cfn", *each],
                cwd=folder,
                capture_output=True,
                check=True,
                text=True,
            )
        return done.stdout


def _actions(names: Sequence[str]) -> str:
    return ", ".join(f"`{each}`" for each in names)


def _breakable(text: str) -> str:
    """Return a text with break points in its ARNs, so that the table fits the page."""
    return re.sub(r"(?<=\w):(?=\w)", ":\u200b", text)


def _literal(text: str) -> str:
    return text.replace("*", r"\*")


def getting_the_zip() -> str:
    """Return the lines of Python that extract the zip, from a comment in the function's code."""
    code = embedding.bootstrap(embedding.handler_zip())
    imports, *lines = [line[4:] for line in code.splitlines() if line.startswith("#   ")]
    return _block("python", "\n".join([imports, "", *lines, ""]))


def _block(language: str, *texts: str) -> str:
    return f"```{language}\n{''.join(texts)}```\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(each)} |\n" for each in lines)
