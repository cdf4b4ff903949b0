"""The command line: `main(argv)` parses it, runs one command and returns the exit code.

The codes are 0 for success, 1 for a result that needs attention (such as a finding, a difference or
a planned change), 2 for wrong usage, and 3 for another expected failure. An expected failure shows
its reason and its fix on stderr; any other exception is a bug and shows a traceback. Each command
is a module of `dt_logs_cfn.commands` with `configure` and `run`. A module is imported only when it
is needed, because loading cfn-lint takes longer than a whole build.
"""

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from dt_logs_cfn import __version__
from dt_logs_cfn.cli.parsing import SHELLS, Parser, completion_script, suggestion
from dt_logs_cfn.cli.terminal import Here, columns, printable, tell, wrapped
from dt_logs_cfn.errors import DtLogsError, UsageError

PROGRAM = "dt-logs-cfn"

COMMANDS = {
    "build": "write the release: templates, policies, handler, manifest, checksums",
    "deploy": "create or update the stack: show the change set, confirm it, follow the events",
    "diff": "compare two releases or templates: permissions, resources, parameters, sources",
    "explain": "explain each permission of the Lambda, and what it may not do",
    "lint": "check the release, or one template, with cfn-lint and our own rules",
    "plan": "show what a stack would change in an account, without changing anything",
    "policy": "print an IAM policy, ready to paste",
    "publish": "upload the release to S3, where customers launch it; or withdraw one",
    "rehearse": "run the released template in an emulated AWS account on this machine",
    "remove": "delete the stack, follow it, and check that the account is clean",
    "replay": "announce the log objects of a time window to Data Theorem again",
    "status": "check whether logs flow to Data Theorem, and say how to fix it if not",
    "verify": "check whether a template, or what a stack runs, is this release",
}

# Each command's help shows its two examples.
_EXAMPLES = """
build --config release.cfg
build --check
deploy --load-balancer '*' --role-arn arn:aws:iam::123456789012:role/dt-logs-analysis
deploy --stack dt-logs-analysis --add-load-balancer ARN --yes
diff 0.1.0
diff old.template.json new.template.json --json
explain
explain --privileges documented
lint
lint build/0.1.0/dt-logs-analysis.template.json --json
plan --load-balancer '*'
plan --stack dt-logs-analysis --add-load-balancer ARN
policy lambda-execution-least-privilege
policy cloudformation-role-lifecycle --account 123456789012 --region eu-west-1
publish --bucket my-releases --dry-run
publish --bucket my-releases --withdraw 0.1.0 --reason 'A newer version replaces it'
rehearse
rehearse --scenario all --report rehearsal.html
remove --stack dt-logs-analysis
remove --stack dt-logs-analysis --yes --leftovers
replay --since 2026-11-28T10:00Z --dry-run
replay --since 2026-11-28T10:00Z --until 2026-11-28T12:00Z
status
status --load-balancer '*' --json
verify dt-logs-analysis.template.json
verify --stack dt-logs-analysis
"""


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code; without a command, print help.

    Raises SystemExit as argparse does: with 2 for wrong usage, and with 0 after `--help`,
    `--version` or `--print-completion`.
    """
    program = _parser()
    if not argv:
        program.print_help()
        return 0
    chosen = program.parsed(argv)
    if chosen.command not in COMMANDS:
        program.error(f"unknown command{suggestion([chosen.command], COMMANDS)}")
    parser = command_parser(chosen.command)
    arguments = parser.parsed(chosen.arguments)
    if getattr(arguments, "debug", False):
        from dt_logs_cfn import aws

        aws.show_log()
    try:
        if hasattr(arguments, "show_settings"):
            from dt_logs_cfn.operate import operator_settings

            given = parser.parsed(chosen.arguments, operator_settings.nothing_given())
            settings = operator_settings.fill(arguments, given)
            if arguments.show_settings:
                operator_settings.show(settings, arguments)
                return 0
        code: int = _load(chosen.command).run(arguments)
        return code
    except DtLogsError as error:
        # Add --profile and --region only to our own text; `what` may quote untrusted text.
        fix = Here.of(arguments).text(printable(error.fix))
        tell(f"{PROGRAM}: {printable(error.what)} {fix}")
        return 2 if isinstance(error, UsageError) else 3


def command_parser(name: str) -> Parser:
    """Return the parser of a command."""
    does = COMMANDS[name]
    lines = (line for line in _EXAMPLES.splitlines() if line.partition(" ")[0] == name)
    parser = Parser(
        prog=f"{PROGRAM} {name}",
        description=_fitted(f"{does[0].upper()}{does[1:]}."),
        epilog="\n".join(("examples:", *(f"  {PROGRAM} {line}" for line in lines))),
    )
    _load(name).configure(parser)
    return parser


class _PrintCompletion(argparse.Action):
    """Print the completion script and exit."""

    def __call__(self, _parser: object, _into: object, shell: object, _option: object = "") -> None:
        parser = _program()
        commands = parser.add_subparsers()
        for name, does in COMMANDS.items():
            _load(name).configure(commands.add_parser(name, help=does))
        print(completion_script(parser, commands.choices, str(shell)))
        raise SystemExit(0)


def _parser() -> Parser:
    parser = _program()
    parser.add_argument("command", metavar="COMMAND", help="one of the commands below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="its arguments")
    return parser


def _program() -> Parser:
    """Return the parser of the program's own options."""
    width = max(map(len, COMMANDS))
    parser = Parser(
        prog=PROGRAM,
        description=_fitted(
            "Onboard ALB access logs: build and verify templates, deploy and check stacks."
        ),
        epilog="commands:\n"
        + "\n".join(_fitted(f"  {name:<{width}}  {does}") for name, does in COMMANDS.items())
        + f"\n\n`{PROGRAM} COMMAND --help` shows its arguments.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        choices=SHELLS,
        metavar="SHELL",
        help=f"print a completion script for {', '.join(SHELLS)}",
    )
    return parser


def _fitted(line: str) -> str:
    """Return a line of help, wrapped as argparse does: to the terminal's width, or 80, minus 2."""
    return "\n".join(wrapped(line, (columns(sys.stdout) or 80) - 2))


def _load(name: str) -> ModuleType:
    """Import a command's module without garbage collection, because its objects stay in use."""
    gc.disable()
    command = import_module(f"dt_logs_cfn.commands.{name}")
    gc.freeze()
    gc.enable()
    return command
