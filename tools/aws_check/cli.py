"""The command line: `main(argv)` plans, runs or sweeps, and returns the exit code.

The exit codes are 0 if all is as expected, 1 for a finding or a leftover, 2 for wrong usage, 3 for
any other reported error, and 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import re
import secrets
import sys
import urllib.request
from collections.abc import Sequence
from functools import cache, partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import boto3

from aws_check import plan, scenes, texts
from aws_check.guard import watch
from aws_check.ledger import Ledger
from aws_check.making import make
from aws_check.removing import remove
from aws_check.run import MINUTES, Run
from aws_check.transcript import Scrubber, Transcript
from dt_logs_cfn import __version__, aws
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.errors import DtLogsError, OperatingError, UsageError

# Returns the caller's public address [EC2 guide, security group rules: checkip].
_ADDRESS = "https://checkip.amazonaws.com"
_TIMEOUT = 10.0  # seconds
_ABOUT = (
    "Check a release on AWS with the credentials of AWS_PROFILE: create a load balancer, run"
    " stacks, read a log, compare error texts, and remove everything."
)
_FLAGS = {
    "--plan": "print what it would do; make no call",
    "--sweep": "remove what killed runs left",
    "--yes": "do not ask",
}
# For each name in the code: option, placeholder, default (None: required), help.
_VALUES: dict[str, tuple[str, str, object, str]] = {
    "account": ("--account", "ID", None, "the account of your credentials"),
    "region": ("--aws-region", "REGION", None, "the region"),
    "vendor": ("--vendor-profile", "NAME", "", "a profile of another account, to read the logs"),
    "source": ("--from", "CIDR", "", f"who can reach the load balancer (default: ask {_ADDRESS})"),
    "release": ("--release", "DIR", Path("build") / __version__, "default: %(default)s"),
    "folder": ("--folder", "DIR", Path(".aws-check"), "for its files; default: %(default)s"),
    "wait": ("--wait", "MINUTES", 30.0, "how long a log may take; default: %(default)s"),
}


def main(argv: Sequence[str], operator: Operator | None = None) -> int:
    """Carry out the command line; return the exit code. Raises SystemExit, as argparse does."""
    options = _parser().parse_args(argv)
    try:
        with aws.errors():
            return _chosen(options, operator or Operator())
    except DtLogsError as error:
        print(f"aws-check: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 3
    except KeyboardInterrupt:
        print("aws-check: interrupted. --sweep removes what is left.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aws-check", description=_ABOUT)
    for flag, help_ in _FLAGS.items():
        parser.add_argument(flag, action="store_true", help=help_)
    for name, (option, kind, default, help_) in _VALUES.items():
        more = {"required": True} if default is None else {"type": type(default)}
        parser.add_argument(option, dest=name, metavar=kind, default=default, help=help_, **more)
    return parser


def _chosen(options: argparse.Namespace, operator: Operator) -> int:
    account, region = options.account, options.region
    if not re.fullmatch(r"\d{12}", account):
        raise UsageError(f"{account!r} is not an AWS account ID.", "Give 12 digits.")
    names, source = plan.Names(secrets.token_hex(3)), options.source and _cidr(options.source)
    if options.plan:
        print(plan.told(names, account, region, source or "this machine's public address"))
        return 0
    if _account("", region) != account:
        raise OperatingError(
            f"The credentials do not belong to account '{account}'.",
            "Set AWS_PROFILE to a profile of that account, or correct --account.",
        )
    if options.sweep:
        return _swept(options, operator)
    if not (options.release / "manifest.json").is_file():
        raise UsageError(f"'{options.release}' is not a release.", "Give one with --release.")
    vendor = _account(options.vendor, region)
    if options.vendor and vendor == account:
        raise UsageError(
            f"Profile '{options.vendor}' also belongs to account '{account}'.",
            "Give --vendor-profile a profile of another account, or leave it out.",
        )
    source = source or _cidr(f"{_fetched(_ADDRESS).strip()}/32")
    operator.tell(plan.told(names, account, region, source))
    operator.confirm("Go ahead?", options.yes)
    known = {vendor: "<vendor>", account: "<account>", source.split("/")[0]: "<ip>"}
    ledger = Ledger.begin(options.folder, names, account, region)
    return _checked(_run(options, ledger, operator, known), options, source, vendor)


def _cidr(text: str) -> str:
    """Check and return a network of at most 256 addresses. Raises UsageError."""
    try:
        found = IPv4Network(text)
    except ValueError as error:
        fix = "Give one like 192.0.2.7/32."
        raise UsageError(f"{text[:40]!r} is not an IPv4 CIDR.", fix) from error
    if found.prefixlen < 24:
        raise UsageError(f"'{found}' admits more than 256 addresses.", "Give a smaller network.")
    return str(found)


def _fetched(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            return str(answer.read(1024).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise OperatingError(
            f"'{url}' did not answer ({type(error).__name__}).",
            "Check the network, or give this machine's public address with --from.",
        ) from error


def _session(profile: str, region: str) -> boto3.Session:
    return boto3.Session(profile_name=profile or None, region_name=region)


def _account(profile: str, region: str) -> str:
    """Return the account ID of a profile, or of the default credentials if `profile` is empty."""
    sts = _session(profile, region).client("sts", config=aws.CONFIG)
    return sts.get_caller_identity()["Account"]


def _run(
    options: argparse.Namespace, ledger: Ledger, operator: Operator, known: dict[str, str]
) -> Run:
    """Return a run that records its calls, with `known` values hidden."""
    path = options.folder / f"{ledger.names.run}.transcript.jsonl"
    transcript = Transcript(path, Scrubber({**known, ledger.names.run: "<run>"}))
    return Run(ledger, _clients("", "customer", ledger, transcript), operator, transcript)


def _clients(profile: str, by: str, ledger: Ledger, transcript: Transcript) -> Any:
    """Return a function that creates one watched client for each service."""
    session = _session(profile, ledger.region)
    watch(session, by, ledger, transcript)
    return cache(partial(session.client, config=aws.CONFIG))


def _checked(run: Run, options: argparse.Namespace, source: str, vendor: str) -> int:
    """Play all scenes; remove what the run created, even after Ctrl-C; print what was found.

    Returns the exit code.
    """
    versions = {"release": __version__, "boto3": boto3.__version__, "region": run.region}
    run.transcript.write(versions)
    reader, interrupted = None, False
    if options.vendor:
        clients = _clients(options.vendor, "vendor", run.ledger, run.transcript)
        reader = clients("s3")
    try:
        _played(run, options, source, vendor, reader)
    except KeyboardInterrupt:
        interrupted = True
        run.operator.tell("Interrupted: removing what the run created. Interrupt again to stop.")
    finally:
        left = remove(run)
    for line in [*(f"finding: {e}" for e in run.findings), *(f"left: {e}" for e in left)]:
        print(line)
    print(f"Run {run.names.run}: {len(run.findings)} findings, {len(left)} left.", end=" ")
    print(f"The transcript is '{run.transcript.path}'.")
    return 130 if interrupted else int(bool(run.findings or left))


def _played(run: Run, options: argparse.Namespace, source: str, vendor: str, reader: Any) -> None:
    """Create the resources and play all scenes; if a scene fails, record a finding and go on.

    If the resources cannot be created, record a finding and play no scene.
    """
    try:
        with aws.errors():
            made = make(run, options.release, source)
    except DtLogsError as error:
        return run.expect(False, str(error))
    wait = options.wait * MINUTES
    stage = scenes.Stage(run, made, options.release, vendor, reader, _requested, wait)
    for scene in (texts.compare, scenes.fresh, scenes.adopt):
        run.operator.tell(f"scene {scene.__name__}")
        try:
            with aws.errors():
                scene(stage)
        except DtLogsError as error:
            run.expect(False, f"Scene {scene.__name__}: {error}")


def _requested(url: str) -> None:
    """Request a URL from the load balancer; ignore a failure, because more requests follow."""
    try:
        _fetched(url)
    except OperatingError:
        return


def _swept(options: argparse.Namespace, operator: Operator) -> int:
    """Remove what recorded runs left in this account and region; return 1 if anything is left."""
    left: list[str] = []
    for ledger in Ledger.all(options.folder):
        if (ledger.account, ledger.region) != (options.account, options.region):
            operator.tell(f"Run {ledger.names.run} was in another account or region.")
        elif ledger.left():
            operator.tell(f"Run {ledger.names.run} left {len(ledger.left())} resources.")
            left += remove(_run(options, ledger, operator, {options.account: "<account>"}))
    print("\n".join(left) if left else "Nothing is left.")
    return int(bool(left))
