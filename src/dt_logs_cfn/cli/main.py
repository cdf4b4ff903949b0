"""The command line: `main(argv)` parses, runs one command and returns its exit code.

0 fine; 1 findings or drift; 2 usage; 3 an expected failure, told in one line on stderr. Whatever
else goes wrong is a bug and tracebacks. Each command is a module of `dt_logs_cfn.commands` with
`configure` and `run`, imported only when it is asked for, since cfn-lint and boto3 cost more
than a whole build.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Protocol

from dt_logs_cfn import __version__
from dt_logs_cfn.cli.aws_options import Here
from dt_logs_cfn.cli.completion import SHELLS
from dt_logs_cfn.cli.examples import examples
from dt_logs_cfn.cli.parsing import Parser, suggestion
from dt_logs_cfn.cli.terminal import printable
from dt_logs_cfn.errors import DtLogsError, UsageError

PROGRAM = "dt-logs-cfn"

COMMANDS = {
    "build": "write the release: templates, policies, handler, manifest, checksums",
    "deploy": "create or update the stack: a change set shown, confirmed and followed live",
    "diff": "compare two releases or templates: rights, resources, parameters, sources",
    "explain": "tell what each right of the Lambda is for, and what it may not do",
    "lint": "check the release, or one template, with cfn-lint and our own rules",
    "plan": "show what a stack would change in an account, before anything is touched",
    "policy": "print an IAM policy, ready to paste",
    "publish": "put the release where customers launch it from, once; or withdraw one",
    "rehearse": "run the released template in an emulated AWS account on this machine",
    "remove": "delete the stack, followed live, and check that the account is clean",
    "replay": "announce the log objects of a time window to Data Theorem again",
    "status": "tell whether logs flow to Data Theorem, and what to do where they do not",
    "verify": "tell whether a template, or what a stack runs, is this release",
}


class Command(Protocol):
    """What a module of `dt_logs_cfn.commands` offers."""

    def configure(self, parser: argparse.ArgumentParser, /) -> None:
        """Declare the command's arguments."""

    def run(self, arguments: argparse.Namespace, /) -> int:
        """Carry the command out; the answer is the exit code."""


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit code; without one, print help.

    Raises SystemExit as argparse does: 2 for wrong usage, 0 after `--help` and `--version`.
    """
    if not argv:
        _parser().print_help()
        return 0
    chosen = _chosen(argv)
    command, parser = _load(chosen.command), command_parser(chosen.command)
    arguments = parser.parsed(chosen.arguments)
    if getattr(arguments, "debug", False):
        from dt_logs_cfn.cli import sdk_log

        sdk_log.show()
    try:
        if hasattr(arguments, "show_settings"):
            from dt_logs_cfn.operate import operator_settings

            given = parser.parsed(chosen.arguments, operator_settings.nothing_given())
            settings = operator_settings.fill(arguments, given)
            if arguments.show_settings:
                operator_settings.show(settings, arguments)
                return 0
        return command.run(arguments)
    except DtLogsError as error:
        # What happened may quote anybody, and what to do is our own.
        fix = Here.of(arguments).text(printable(error.fix))
        print(f"{PROGRAM}: {printable(error.what)} {fix}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 3


def command_parser(name: str) -> Parser:
    """Return the parser of a command."""
    does, below = _sentence(COMMANDS[name]), examples(PROGRAM, name)
    parser = Parser(prog=f"{PROGRAM} {name}", description=does, epilog=below)
    _load(name).configure(parser)
    return parser


class _PrintCompletion(argparse.Action):
    """Print the completion script and exit, as `--version` does."""

    def __call__(self, _parser: object, _into: object, shell: object, _option: object = "") -> None:
        from dt_logs_cfn.cli import completion

        parser = _program()
        commands = parser.add_subparsers()
        for name, does in COMMANDS.items():
            _load(name).configure(commands.add_parser(name, help=does))
        print(completion.script(parser, commands.choices, str(shell)))
        raise SystemExit(0)


def _chosen(argv: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    chosen = parser.parsed(argv)
    if chosen.command not in COMMANDS:
        hint = suggestion([chosen.command], COMMANDS)
        parser.error(f"unknown command{hint}")
    return chosen


def _parser() -> Parser:
    parser = _program()
    parser.add_argument("command", metavar="COMMAND", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="its arguments")
    return parser


def _program() -> Parser:
    """Return the parser of the program's own options."""
    width = max(map(len, COMMANDS))
    parser = Parser(
        prog=PROGRAM,
        description="Build, check and explain the templates that onboard ALB access logs.",
        epilog="commands:\n"
        + "\n".join(f"  {name:<{width}}  {does}" for name, does in COMMANDS.items())
        + f"\n\n`{PROGRAM} COMMAND --help` has the arguments of each.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        choices=SHELLS,
        metavar="SHELL",
        help=f"print a script that completes the command line in {', '.join(SHELLS)}",
    )
    return parser


def _load(name: str) -> Command:
    match name:
        case "build":
            from dt_logs_cfn.commands import build

            return build
        case "deploy":
            from dt_logs_cfn.commands import deploy

            return deploy
        case "diff":
            from dt_logs_cfn.commands import diff

            return diff
        case "explain":
            from dt_logs_cfn.commands import explain

            return explain
        case "lint":
            from dt_logs_cfn.commands import lint

            return lint
        case "plan":
            from dt_logs_cfn.commands import plan

            return plan
        case "policy":
            from dt_logs_cfn.commands import policy

            return policy
        case "publish":
            from dt_logs_cfn.commands import publish

            return publish
        case "rehearse":
            from dt_logs_cfn.commands import rehearse

            return rehearse
        case "remove":
            from dt_logs_cfn.commands import remove

            return remove
        case "replay":
            from dt_logs_cfn.commands import replay

            return replay
        case "status":
            from dt_logs_cfn.commands import status

            return status
        case "verify":
            from dt_logs_cfn.commands import verify

            return verify
    raise AssertionError(f"no module for the command {name}")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
