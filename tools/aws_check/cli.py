"""The command line: `main(argv)` plans, runs or sweeps, and returns the exit code.

0 all is as expected; 1 something is not, or is left; 2 usage; 3 an expected failure; 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import re
import secrets
import sys
import urllib.request
from collections.abc import Callable, Sequence
from functools import cache, partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import boto3

from aws_check import ledger, plan, scenes, texts
from aws_check.guard import watch
from aws_check.ledger import Ledger, Recorded
from aws_check.making import make
from aws_check.removing import remove
from aws_check.run import MINUTES, Run
from aws_check.transcript import Scrubber, Transcript
from dt_logs_cfn import __version__, aws
from dt_logs_cfn.errors import DtLogsError, OperatingError, UsageError
from dt_logs_cfn.operate.operator import Operator

# Answers with the caller's public address [EC2 guide, "Authorize inbound traffic": checkip].
_ADDRESS = "https://checkip.amazonaws.com"
_TIMEOUT = 10.0  # seconds


def main(argv: Sequence[str], operator: Operator | None = None) -> int:
    """Do what the command line says; raises SystemExit as argparse does."""
    options = _parser().parse_args(argv)
    try:
        with aws.errors():
            return _chosen(options, operator or Operator())
    except DtLogsError as error:
        print(f"aws-check: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 3
    except KeyboardInterrupt:
        print("aws-check: interrupted. Run it with --sweep to remove what is left.",
              file=sys.stderr)  # fmt: skip
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="aws-check", description=main.__doc__)
    parser.description = (
        "Check a release on AWS with the credentials of AWS_PROFILE: make a load balancer, run"
        " stacks, read a log, compare error texts, and remove everything."
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--plan", action="store_true", help="print what it would do; make no call")
    what.add_argument("--sweep", action="store_true", help="remove what killed runs left")
    parser.add_argument("--account", required=True, metavar="ID", help="the account, as a check")
    parser.add_argument("--aws-region", required=True, metavar="REGION", help="the region")
    parser.add_argument("--vendor-profile", metavar="NAME", help="a profile of another account,"
                        " which reads the logs")  # fmt: skip
    parser.add_argument("--from", dest="source", metavar="CIDR", help="who reaches the load"
                        f" balancer (default: this machine's address by {_ADDRESS})")  # fmt: skip
    parser.add_argument("--release", type=Path, default=Path("build") / __version__, metavar="DIR",
                        help="the release (default: %(default)s)")  # fmt: skip
    parser.add_argument("--folder", type=Path, default=Path(".aws-check"), metavar="DIR",
                        help="where ledgers and transcripts are (default: %(default)s)")  # fmt: skip
    parser.add_argument("--wait", type=int, default=30, metavar="MINUTES",
                        help="how long to wait for a log (default: %(default)s)")  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _chosen(options: argparse.Namespace, operator: Operator) -> int:
    account, region = options.account, options.aws_region
    if not re.fullmatch(r"\d{12}", account):
        raise UsageError(f"{account!r} is not an AWS account ID.", "Give 12 digits.")
    source = _cidr(options.source) if options.source else ""
    names = plan.Names(secrets.token_hex(3))
    if options.plan:
        print(plan.told(names, account, region, source or "this machine's public address"))
        return 0
    session = boto3.Session(region_name=region)
    _check_account(session, account)
    if options.sweep:
        return _swept(options, operator)
    if not (options.release / "manifest.json").is_file():
        raise UsageError(f"'{options.release}' is not a release.", "Give its folder by --release.")
    vendor = _vendor_account(options.vendor_profile, region, account)
    source = source or _cidr(f"{_fetched(_ADDRESS).strip()}/32")
    operator.tell(plan.told(names, account, region, source))
    operator.confirm("Go ahead?", options.yes)
    recorded = Recorded(names, account, region)
    book = Ledger.begin(options.folder, recorded)
    return _run(options, book, operator, source, vendor)


def _cidr(text: str) -> str:
    """Return a network of up to 256 addresses. Raises UsageError."""
    try:
        found = IPv4Network(text)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is not an IPv4 CIDR.", "Give one like 192.0.2.7/32.") \
            from error  # fmt: skip
    if found.prefixlen < 24:
        raise UsageError(f"'{found}' lets more than 256 addresses in.", "Give a smaller network.")
    return str(found)


def _fetched(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
            return str(answer.read(1024).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise OperatingError(
            f"'{url}' did not answer ({type(error).__name__}).",
            "Give this machine's public address with --from, and check that it can reach AWS.",
        ) from error


def _check_account(session: boto3.Session, account: str) -> None:
    """Raise OperatingError unless the credentials are of the account."""
    found = session.client("sts", config=aws.CONFIG).get_caller_identity()["Account"]
    if found != account:
        raise OperatingError(
            f"The credentials are not of account '{account}'.",
            "Set AWS_PROFILE to a profile of that account, or correct --account.",
        )


def _vendor_account(profile: str | None, region: str, account: str) -> str:
    """Return the account that reads: the vendor profile's, or else the checked account itself."""
    if profile is None:
        return account
    session = boto3.Session(profile_name=profile, region_name=region)
    found = session.client("sts", config=aws.CONFIG).get_caller_identity()["Account"]
    if found == account:
        raise UsageError(f"Profile {profile!r} is of account '{account}', too.",
                         "Give --vendor-profile of another account, or none.")  # fmt: skip
    return found


def _opened(options: argparse.Namespace, book: Ledger, operator: Operator, source: str) -> Run:
    """Return a run whose calls are watched and written down."""
    name = f"{book.recorded.names.run}.transcript.jsonl"
    hidden = {book.recorded.account: "<account>", book.recorded.names.run: "<run>"}
    address = {source.partition("/")[0]: "<ip>"} if source else {}
    transcript = Transcript(options.folder / name, Scrubber({**hidden, **address}))
    session = boto3.Session(region_name=book.recorded.region)
    watch(session, "customer", book, transcript)
    return Run(book, cache(partial(session.client, config=aws.CONFIG)), operator, transcript)


def _run(
    options: argparse.Namespace, book: Ledger, operator: Operator, source: str, vendor: str
) -> int:
    run = _opened(options, book, operator, source)
    run.transcript.write({"release": __version__, "boto3": boto3.__version__,
                          "region": run.region})  # fmt: skip
    reader = None
    if options.vendor_profile:
        session = boto3.Session(profile_name=options.vendor_profile, region_name=run.region)
        watch(session, "vendor", book, run.transcript)
        run.transcript.scrubber = run.transcript.scrubber.also(vendor, "<vendor>")
        reader = session.client("s3", config=aws.CONFIG)
    interrupted = False
    try:
        _played(run, options, source, vendor, reader)
    except KeyboardInterrupt:
        interrupted = True
        operator.tell("Interrupted: removing what was made. Interrupt again to stop that.")
    finally:
        left = remove(run)
    operator.tell(f"The transcript is '{run.transcript.path}'.")
    print(_verdict(run, left))
    return 130 if interrupted else int(bool(run.findings or left))


def _played(run: Run, options: argparse.Namespace, source: str, vendor: str, reader: Any) -> None:
    """Play all scenes; one that cannot go on is a finding, and the next one is played."""
    try:
        with aws.errors():
            made = make(run, options.release, source)
    except DtLogsError as error:
        run.expect(False, str(error))
        return
    wait = options.wait * MINUTES
    stage = scenes.Stage(run, made, options.release, vendor, reader, _requested, wait)
    played: dict[str, Callable[[], None]] = {
        "texts": lambda: texts.compare(run, made),
        "fresh": lambda: scenes.fresh(stage),
        "adopt": lambda: scenes.adopt(stage),
    }
    for name, scene in played.items():
        run.operator.tell(f"scene {name}")
        try:
            with aws.errors():
                scene()
        except DtLogsError as error:
            run.expect(False, f"Scene {name}: {error}")


def _requested(url: str) -> None:
    """Request a URL of the load balancer; an answer that does not come is asked for again later."""
    try:
        _fetched(url)
    except OperatingError:
        return


def _verdict(run: Run, left: Sequence[str]) -> str:
    lines = [f"finding: {each}" for each in run.findings] + [f"left: {each}" for each in left]
    end = "nothing is left." if not left else "--sweep tries again to remove what is left."
    return "\n".join([*lines, f"Run {run.names.run}: {len(run.findings)} findings; {end}"])


def _swept(options: argparse.Namespace, operator: Operator) -> int:
    """Remove what the recorded runs of this account and region left."""
    left: list[str] = []
    for path in ledger.runs(options.folder):
        found = ledger.read(path)
        if not found.things:
            continue
        if (found.account, found.region) != (options.account, options.aws_region):
            operator.tell(f"Run {found.names.run} was in another account or region.")
            continue
        operator.tell(f"Run {found.names.run} left {len(found.things)} things.")
        left += remove(_opened(options, Ledger.resume(path), operator, ""))
    print("\n".join(left) if left else "Nothing is left.")
    return int(bool(left))
