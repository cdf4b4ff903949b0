"""`explain`: what each right of the Lambda is for, and what it may not do."""

import argparse
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain, groupby
from pathlib import Path

from dt_logs_cfn.cli.terminal import result
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template import explain
from dt_logs_cfn.template.added import AddedRight, added_to
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
        help="a customized template: also explain what its policies allow beyond ours",
    )
    parser.add_argument("--json", action="store_true", help="print it for a program")


def run(arguments: argparse.Namespace) -> int:
    """Print every right, what it is for, and what is refused or left open."""
    least = arguments.privileges is Privileges.LEAST_PRIVILEGE
    data, lines = (_least, _least_lines) if least else (_documented, _documented_lines)
    path: Path | None = arguments.added_in
    if path is None:
        result(arguments.json, data(), lines())
        return 0
    added = added_to(parse_template(read_template(path)))
    found = {**data(), "added": [_as_data(each) for each in added]}
    result(arguments.json, found, chain(lines(), _added_lines(path, added)))
    return 0


def _as_data(added: AddedRight) -> dict[str, object]:
    return {**asdict(added), "actions": list(added.actions), "on": list(added.on)}


def _added_lines(path: Path, added: tuple[AddedRight, ...]) -> Iterator[str]:
    yield ""
    yield f"Added in {path}:" if added else f"{path} adds no policy statement."
    for each in added:
        what = "denies" if each.effect == "Deny" else "allows"
        who = f" {each.who}" if each.who else ""
        yield from _wrapped(f"{each.resource} {what}{who} {', '.join(each.actions)}", "  ")
        if each.on:
            yield from _wrapped(f"on {', '.join(each.on)}", "    ")
        if each.condition:
            yield from _wrapped(f"if {each.condition}", "    ")


def _least() -> dict[str, object]:
    return {
        "rights": [{**asdict(each), "on": list(each.on)} for each in explain.rights()],
        "refused": list(explain.REFUSED),
        "open": list(explain.OPEN),
    }


def _documented() -> dict[str, object]:
    known, used = explain.s3_actions()
    return {
        "rights": [{**asdict(each), "steps": list(each.steps)} for each in explain.uses()],
        "s3_actions": {"allowed": known, "used": used},
    }


def _least_lines() -> Iterator[str]:
    rights = explain.rights()
    yield f"The Lambda's least-privilege role: {len({r.action for r in rights})} actions."
    for (step, why), group in groupby(rights, lambda each: (each.step, each.why)):
        yield ""
        yield from _wrapped(f"{step}: {why}", "")
        for (on, condition), same in groupby(group, lambda each: (each.on, each.condition)):
            yield from _wrapped(", ".join(each.action for each in same), "  ")
            yield from _wrapped(f"on {', '.join(on)}", "    ")
            if condition:
                yield from _wrapped(f"if {condition}", "    ")
    yield from _section("Refused, since nothing allows it:", explain.REFUSED)
    yield from _section("Left open, since IAM cannot narrow it:", explain.OPEN)


def _documented_lines() -> Iterator[str]:
    known, used = explain.s3_actions()
    yield "The Lambda's role as documented, and what the handler uses of it:"
    yield ""
    for each in explain.uses():
        what = ", ".join(each.steps) if each.steps else "never used"
        yield from _wrapped(f"{each.action} on {each.on}: {what}", "  ")
    yield ""
    yield f"s3:* allows the {known} actions that awacs lists, on every bucket; {used} are used."


def _section(title: str, items: tuple[str, ...]) -> Iterator[str]:
    yield ""
    yield title
    for item in items:
        yield from textwrap.wrap(
            item, _WIDTH, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False
        )


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        break_long_words=False,
    )
