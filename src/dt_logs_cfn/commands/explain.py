"""`explain`: print the purpose of each Lambda permission, and what the Lambda may not do."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain, groupby
from pathlib import Path

from dt_logs_cfn.cli.terminal import result, wrapped
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template import policies
from dt_logs_cfn.template.customizing import AddedRight, added_to
from dt_logs_cfn.template.parsing import parse_template, read_template

_WIDTH = 100


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `explain`."""
    parser.add_argument(
        "--privileges",
        type=Privileges,
        choices=tuple(Privileges),
        default=Privileges.LEAST_PRIVILEGE,
        metavar="SET",
        help="documented or least-privilege (default: least-privilege)",
    )
    parser.add_argument(
        "--added-in",
        type=Path,
        metavar="TEMPLATE",
        help="also explain the policy statements that this customized template adds",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print every permission and its use; for least privilege, also what is refused or open.

    With `--added-in`, also print the statements that a customization added.
    """
    data: dict[str, object]
    if arguments.privileges is Privileges.LEAST_PRIVILEGE:
        rights = policies.rights()
        lines = _least(rights)
        data = {"refused": policies.REFUSED, "open": policies.OPEN}
        data["rights"] = [asdict(each) for each in rights]
    else:
        uses, (known, used) = policies.uses(), policies.s3_actions()
        lines = _documented(uses, known, used)
        data = {"s3_actions": {"allowed": known, "used": used}}
        data["rights"] = [asdict(each) for each in uses]
    path: Path | None = arguments.added_in
    if path is not None:
        added = added_to(parse_template(read_template(path), str(path)))
        data["added"] = [asdict(each) for each in added]
        lines = chain(lines, _added_lines(path, added))
    result(arguments.json, data, (part for line in lines for part in wrapped(line, _WIDTH)))
    return 0


def _least(rights: Sequence[policies.Right]) -> Iterator[str]:
    yield f"The Lambda's least-privilege role: {len({r.action for r in rights})} actions."
    for (step, why), group in groupby(rights, lambda each: (each.step, each.why)):
        yield from ("", f"{step}: {why}")
        for (on, condition), same in groupby(group, lambda each: (each.on, each.condition)):
            yield f"  {', '.join(each.action for each in same)}"
            yield from _limits(on, condition)
    yield from ("", "Refused, because nothing allows it:")
    yield from (f"  - {each}" for each in policies.REFUSED)
    yield from ("", "Left open, because IAM cannot narrow it:")
    yield from (f"  - {each}" for each in policies.OPEN)


def _documented(uses: Sequence[policies.Use], known: int, used: int) -> Iterator[str]:
    yield from ("The actions of the Lambda's documented role, and the steps that use them:", "")
    for each in uses:
        yield f"  {each.action} on {each.on}: {', '.join(each.steps) or 'never used'}"
    yield ""
    yield f"s3:* allows the {known} actions that awacs lists, on every bucket; {used} are used."


def _added_lines(path: Path, added: Sequence[AddedRight]) -> Iterator[str]:
    yield from ("", f"Added in {path}:" if added else f"{path} does not add policy statements.")
    for each in added:
        what = "denies" if each.effect == "Deny" else "allows"
        who = f" {each.who}" if each.who else ""
        yield f"  {each.resource} {what}{who} {', '.join(each.actions)}"
        yield from _limits(each.on, each.condition)


def _limits(on: Sequence[str], condition: str) -> Iterator[str]:
    if on:
        yield f"    on {', '.join(on)}"
    if condition:
        yield f"    if {condition}"
