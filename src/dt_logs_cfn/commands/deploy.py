"""`deploy`: create or update a stack by a change set that is shown, confirmed and followed.

With `--stack-set`, one stack in each account and region of an organisation.
"""

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dt_logs_cfn import __version__, aws, canonical
from dt_logs_cfn.errors import OperatingError, SettingsError, UsageError, VerifyError
from dt_logs_cfn.operating import stack_set_options, values
from dt_logs_cfn.operating.deploying import Deployed, Wanted, deploy
from dt_logs_cfn.operating.operator import Operator, at_terminal
from dt_logs_cfn.operating.rolling_out import roll_out
from dt_logs_cfn.operating.stacks import REVIEW, STACK_NAME, describe
from dt_logs_cfn.operating.templates import Template, from_release, from_url
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.templates import origin

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]{1,1024}")
_LIST = "LoadBalancerArns"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `deploy`."""
    add_stack_name(parser)
    parser.add_argument(
        "--role-arn",
        metavar="ARN",
        help="the service role through which CloudFormation acts; a stack keeps the one it has",
    )
    parser.add_argument(
        "--load-balancer",
        action="append",
        default=[],
        metavar="ARN",
        help=f"a load balancer to onboard, or * for all; repeatable ({_LIST})",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter's value; repeatable. Those left out keep the value that they have",
    )
    parser.add_argument(
        "--parameters",
        type=Path,
        metavar="FILE",
        help="values in a JSON file: as the AWS CLI takes them, or an object",
    )
    parser.add_argument(
        "--tag", action="append", default=[], metavar="KEY=VALUE", help="a stack tag; repeatable"
    )
    parser.add_argument(
        "--privileges",
        type=Privileges,
        choices=tuple(Privileges),
        metavar="SET",
        help="documented or least-privilege: which template (default: that of the stack, or"
        " least-privilege for a new one)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--release",
        type=Path,
        default=Path("build") / __version__,
        metavar="DIR",
        help=f"the release (default: build/{__version__})",
    )
    where.add_argument(
        "--template-url",
        metavar="URL",
        help="a published template, deployed only if it is what this release builds",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print the result for a program")
    aws.add_arguments(parser)
    stack_set_options.add_arguments(parser)


def add_stack_name(parser: argparse.ArgumentParser) -> None:
    """Declare `--stack-name`."""
    parser.add_argument(
        "--stack-name",
        default="dt-logs-analysis",
        metavar="NAME",
        help="the stack (default: dt-logs-analysis)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Deploy; answer 0 also where nothing has to be done."""
    return deployed(arguments, at_terminal())


def deployed(arguments: argparse.Namespace, operator: Operator) -> int:
    """Deploy for an operator."""
    stack_set_options.check(arguments)
    check_name(arguments.stack_name)
    parameters = _parameters(arguments)
    tags = values.pairs(arguments.tag, "--tag")
    check_role(arguments.role_arn)
    template = _template(arguments, arguments.privileges)
    if arguments.stack_set is not None:
        return roll_out(arguments, template, parameters, tags, operator)
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        client = session.client("cloudformation", config=aws.CONFIG)
        if arguments.privileges is None and arguments.template_url is None:
            present = _present_privileges(client, arguments.stack_name)
            if present is Privileges.DOCUMENTED:
                template = _template(arguments, present)
        account = session.client("sts", config=aws.CONFIG).get_caller_identity()["Account"]
        region = client.meta.region_name
        _check_place(parameters, account, region)
        wanted = Wanted(
            arguments.stack_name,
            account,
            region,
            template,
            parameters,
            tags,
            arguments.role_arn or "",
        )
        found = deploy(client, wanted, operator, arguments.yes)
    sys.stdout.write(canonical.dumps(_data(found)) if arguments.json else _text(found))
    return 0


def check_name(name: str) -> None:
    """Raise UsageError unless CloudFormation takes the name of a stack."""
    if not STACK_NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} is no name of a stack.",
            "Use up to 128 letters, digits and hyphens; the first is a letter.",
        )


def check_role(arn: str | None) -> None:
    """Raise UsageError unless this is a role's ARN, if it is given."""
    if arn is not None and not _ROLE.fullmatch(arn):
        raise UsageError("--role-arn is not the ARN of a role.", "Give the service role's ARN.")


def _parameters(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the values that are given; an option counts more than a file."""
    found = values.read(arguments.parameters) if arguments.parameters else {}
    found |= values.pairs(arguments.parameter, "--parameter")
    if arguments.load_balancer:
        if any(each.startswith(f"{_LIST}=") for each in arguments.parameter):
            raise UsageError(
                f"--load-balancer and --parameter {_LIST} are both given.", "Give one of them."
            )
        found[_LIST] = ",".join(arguments.load_balancer)
    return found


def _template(arguments: argparse.Namespace, privileges: Privileges | None) -> Template:
    if arguments.template_url is not None:
        return from_url(arguments.template_url, privileges)
    return from_release(arguments.release, privileges or Privileges.LEAST_PRIVILEGE)


def _present_privileges(client: "CloudFormationClient", name: str) -> Privileges | None:
    """Return the set that a stack has, which it keeps unless told otherwise; None for a new one."""
    stack = describe(client, name)
    if stack is None or stack.status == REVIEW:
        return None
    body: object = client.get_template(StackName=stack.id)["TemplateBody"]
    try:
        return origin(body).privileges if isinstance(body, dict) else None
    except (SettingsError, VerifyError):
        return None  # none of ours, which is refused where its resources are looked at


def _check_place(parameters: Mapping[str, str], account: str, region: str) -> None:
    """Refuse load balancers of another account or region: the stack has to be beside them."""
    for each in parameters.get(_LIST, "").split(","):
        parts = each.strip().split(":")
        if len(parts) == 6 and parts[3:5] != [region, account]:
            raise OperatingError(
                f"{each.strip()[:200]} is not of account {account} and region {region}.",
                "Use the account's credentials, and --region with the load balancer's region.",
            )


def _text(found: Deployed) -> str:
    lines = [f"{found.stack.name}: {found.result}, {found.stack.status}"]
    if found.result == "unchanged":
        lines = [f"{found.stack.name}: nothing to do, {found.stack.status}"]
    lines += [f"  {name}: {value}" for name, value in sorted(found.stack.outputs.items())]
    return "".join(f"{each}\n" for each in lines)


def _data(found: Deployed) -> dict[str, object]:
    return {
        "result": found.result,
        "stack": {
            "id": found.stack.id,
            "name": found.stack.name,
            "status": found.stack.status,
        },
        "outputs": dict(found.stack.outputs),
    }
