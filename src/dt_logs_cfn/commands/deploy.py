"""`deploy`: create or update a stack by a change set that is shown, confirmed and followed.

With `--stack-set`, one stack in each account and region of an organisation.
"""

import argparse
import sys
from collections.abc import Mapping

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.cli.aws_options import Here
from dt_logs_cfn.cli.terminal import printable
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate import stack_options, values
from dt_logs_cfn.operate.operator import Operator, at_terminal
from dt_logs_cfn.operate.shown import shown_line
from dt_logs_cfn.operate.stack_sets import options as stack_set_options
from dt_logs_cfn.operate.stack_sets.command import roll_out
from dt_logs_cfn.operate.stacks.deploying import Deployed, Wanted, deploy, settled


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `deploy`."""
    stack_options.add_stack(parser)
    stack_options.add_role(
        parser, "the service role through which CloudFormation acts; a stack keeps the one it has"
    )
    stack_options.add_wanted(parser)
    parser.add_argument(
        "--tag", action="append", default=[], metavar="KEY=VALUE", help="a stack tag; repeatable"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print the result for a program")
    aws.add_arguments(parser)
    stack_set_options.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Deploy; answer 0 also where nothing has to be done."""
    return deployed(arguments, at_terminal(Here.of(arguments)))


def deployed(arguments: argparse.Namespace, operator: Operator) -> int:
    """Deploy for an operator."""
    stack_set_options.check(arguments)
    stack_options.check_stack(arguments.stack)
    stack_options.check_role(arguments.role_arn)
    parameters = stack_options.parameters(arguments)
    tags = values.pairs(arguments.tag, "--tag")
    if arguments.stack_set is not None:
        template = stack_options.template(arguments)
        return roll_out(arguments, template, parameters, tags, operator)
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        client = session.client("cloudformation", config=aws.CONFIG)
        account = session.client("sts", config=aws.CONFIG).get_caller_identity()["Account"]
        region = client.meta.region_name
        _check_place(parameters, account, region)
        before = settled(client, arguments.stack, operator)
        template = stack_options.template(arguments, before)
        wanted = Wanted(
            arguments.stack,
            account,
            region,
            template,
            parameters,
            tags,
            arguments.role_arn or "",
        )
        found = deploy(client, wanted, before, operator, arguments.yes)
    if arguments.json:
        sys.stdout.write(canonical.dumps(_data(found)))
    else:
        print("\n".join(map(printable, _lines(found, Here.of(arguments)))))
    return 0


def _check_place(parameters: Mapping[str, str], account: str, region: str) -> None:
    """Refuse load balancers of another account or region: the stack has to be beside them."""
    for each in parameters.get("LoadBalancerArns", "").split(","):
        parts = each.strip().split(":")
        if len(parts) == 6 and parts[3:5] != [region, account]:
            raise OperatingError(
                f"{each.strip()[:200]} is not of account {account} and region {region}.",
                "Use the account's credentials, and --region with the load balancer's region.",
            )


def _lines(found: Deployed, here: Here) -> list[str]:
    stack, waits = found.stack, "awaits confirmation"
    result = "nothing to do" if found.result == "unchanged" else found.result
    lines = [f"{stack.name}: {result}, {stack.status}"]
    lines += [f"  {name}: {shown_line(value)}" for name, value in sorted(stack.outputs.items())]
    if any(waits in value for value in stack.outputs.values()):
        look = here.command(f"dt-logs-cfn status --stack {stack.name}")
        lines.append(f"Data Theorem's endpoint has to confirm; `{look}` tells when it has.")
    return lines


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
