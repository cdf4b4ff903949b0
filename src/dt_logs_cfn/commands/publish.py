"""`publish`: upload the release to S3, where customers launch it, or withdraw a version."""

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

from dt_logs_cfn import aws
from dt_logs_cfn.cli.parsing import matching
from dt_logs_cfn.cli.terminal import result, tell
from dt_logs_cfn.commands import release_options
from dt_logs_cfn.errors import PublishError, SigningError, UsageError
from dt_logs_cfn.publish.destination import Destination, chosen, revision
from dt_logs_cfn.publish.publisher import (
    Counted,
    Done,
    Plan,
    publication_plan,
    publish,
    withdrawal_plan,
)
from dt_logs_cfn.publish.store import Store
from dt_logs_cfn.release.build import CHECKSUMS, Release, build_release
from dt_logs_cfn.release.catalogue import VERSION
from dt_logs_cfn.release.folder import LEDGER, compare, is_released
from dt_logs_cfn.settings import DNS_SUFFIXES, Settings
from dt_logs_cfn.verify.fetching import optional
from dt_logs_cfn.verify.provenance import sign, signers
from dt_logs_handler.names import ACCOUNT_ID


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `publish`."""
    release_options.add_config(parser)
    parser.add_argument(
        "--bucket",
        nargs="+",
        required=True,
        metavar="B",
        help="the buckets that the base URLs in release.cfg name",
    )
    parser.add_argument("--prefix", metavar="P", help="must match the prefix in the base URL")
    parser.add_argument(
        "--region", nargs="+", metavar="R", help="each bucket's region; must match the base URL"
    )
    parser.add_argument(
        "--profile",
        nargs="+",
        metavar="NAME",
        help="the AWS CLI profile for all buckets, or one for each",
    )
    parser.add_argument(
        "--bucket-owner",
        nargs="+",
        type=matching(ACCOUNT_ID, "an account ID of 12 digits"),
        metavar="ID",
        help="the account that owns each bucket (default: the account of the credentials)",
    )
    parser.add_argument("--latest", action="store_true", help="point latest.json to the version")
    parser.add_argument(
        "--sign", type=Path, metavar="KEY", help="sign SHA256SUMS with this OpenSSH key"
    )
    parser.add_argument(
        "--retain-until",
        type=_day,
        metavar="YYYY-MM-DD",
        help="lock the objects until this day (S3 Object Lock in compliance mode)",
    )
    parser.add_argument(
        "--revision", type=_line, metavar="ID", help="the source's revision (default: git's)"
    )
    version = matching(VERSION, "a version like 1.2.3")
    parser.add_argument(
        "--withdraw", type=version, metavar="VERSION", help="mark a version as withdrawn instead"
    )
    parser.add_argument("--reason", type=_line, metavar="TEXT", help="why it is withdrawn")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build"),
        metavar="DIR",
        help="the folder of the releases (default: build)",
    )
    release_options.add_customize(parser, "the function that customized the release")
    parser.add_argument("--dry-run", action="store_true", help="print the steps, and run none")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    aws.add_debug(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish or withdraw, or print the steps; return 3 if a destination failed."""
    _check(arguments)
    settings = release_options.load_settings(arguments.config)
    places = [
        chosen(settings, bucket, arguments.prefix, region)
        for bucket, region in zip(arguments.bucket, arguments.region, strict=True)
    ]
    now = datetime.now(timezone.utc)
    if arguments.withdraw is not None:
        plan = withdrawal_plan(arguments.withdraw, arguments.reason, now)
    else:
        plan = _publication(arguments, settings, now)
    if arguments.dry_run:
        steps = {each: [step.told(each) for group in plan for step in group] for each in places}
        planned = [_data(each, steps=told) for each, told in steps.items()]
        lines = (
            "\n  ".join((f"{each.bucket} in {each.region}:", *told)) for each, told in steps.items()
        )
        result(arguments.json, {"destinations": planned}, lines)
        return 0
    stores = _stores(arguments, places)
    done = publish(plan, places, stores, optional, signers().signer, Counted(plan))
    found = [
        _data(
            each.destination,
            steps=[{"step": step, "result": outcome} for step, outcome in each.results],
            failure=str(each.failure) if each.failure else None,
        )
        for each in done
    ]
    result(arguments.json, {"destinations": found}, map(_summary, done))
    for each in done:
        if each.failure:
            tell(f"dt-logs-cfn: {each.destination.bucket}: {each.failure}")
    return 3 if any(each.failure for each in done) else 0


def _check(arguments: argparse.Namespace) -> None:
    """Check the options; if one value is for all buckets, repeat it. Raises UsageError."""
    count = len(arguments.bucket)
    if len(set(arguments.bucket)) < count:
        raise UsageError("--bucket names a bucket twice.", "Name each bucket once.")
    for name in ("region", "profile", "bucket_owner"):
        given = getattr(arguments, name) or [None]
        if len(given) not in (1, count):
            raise UsageError(
                f"There are {count} buckets and {len(given)} of --{name.replace('_', '-')}.",
                "Give one for each bucket, in their order, or one for all.",
            )
        setattr(arguments, name, given if len(given) == count else given * count)
    if (arguments.withdraw is None) != (arguments.reason is None):
        raise UsageError("--withdraw and --reason belong together.", "Give both, or neither.")
    for name in ("latest", "sign", "retain_until", "revision"):
        if arguments.withdraw is not None and getattr(arguments, name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is for publishing, not for --withdraw.", "Leave it out.")


def _publication(arguments: argparse.Namespace, settings: Settings, now: datetime) -> Plan:
    """Build the release, sign it if asked, and plan its publication.

    Raises PublishError if the folder has other files, or the version is not marked as released.
    """
    out: Path = arguments.out
    release = build_release(settings, release_options.load_customize(arguments.customize))
    if compare(release, out / release.version):
        raise PublishError(
            f"{out / release.version} is not what this source builds.",
            "Run `dt-logs-cfn build`, review the changes, and commit them.",
        )
    if not is_released(release, out):
        raise PublishError(
            f"{release.version} is not marked as released.",
            f"Run `dt-logs-cfn build --mark-released`, and commit {out / LEDGER}.",
        )
    at = arguments.revision or revision(Path.cwd())
    signature = _signature(release, arguments.sign)
    return publication_plan(release, signature, at, now, arguments.latest, arguments.retain_until)


def _signature(release: Release, key: Path | None) -> bytes | None:
    if key is None:
        tell("warning: not signed. Pass --sign KEY to sign it.")
        return None
    sums = release.files[CHECKSUMS]
    signature = sign(sums, key)
    if signers().signer(sums, signature) is None:
        raise SigningError(
            f"{key} is not in src/dt_logs_cfn/signers/allowed_signers, or is revoked.",
            "Sign with a key that customers can verify, or first add its public half there.",
        )
    return signature


def _stores(
    arguments: argparse.Namespace, places: Sequence[Destination]
) -> Callable[[Destination], Store]:
    """Return a function that opens a destination's bucket."""
    owners = dict(zip(places, arguments.bucket_owner, strict=True))
    clients = {}
    # Threads cannot share a session safely, so all clients are made before the threads start.
    with aws.errors():
        for each, profile in zip(places, arguments.profile, strict=True):
            session = aws.session(profile, each.region)
            clients[each] = session.client("s3"), session.client("sts")

    def store(place: Destination) -> Store:
        s3, sts = clients[place]
        owner = owners[place] or sts.get_caller_identity()["Account"]
        url = _public_url(place, s3.meta.endpoint_url)
        return Store(s3, place, owner, url, time.sleep)

    return store


def _public_url(destination: Destination, endpoint: str) -> str:
    """Return the URL for customers or, with a warning, a URL at an S3 endpoint outside AWS."""
    if (urlsplit(endpoint).hostname or "").endswith(f".{DNS_SUFFIXES[destination.partition]}"):
        return destination.url
    tell(f"warning: S3 is at {endpoint}, not at AWS, so {destination.url} is not used.")
    return "/".join(filter(None, (endpoint, destination.bucket, destination.prefix)))


def _data(place: Destination, **more: object) -> dict[str, object]:
    return {"bucket": place.bucket, "region": place.region, "url": place.url, **more}


def _summary(done: Done) -> str:
    created = sum(outcome.startswith(("created", "changed")) for _, outcome in done.results)
    said = f"{'stopped' if done.failure else 'done'}; {len(done.results)} steps"
    return f"{done.destination.url}: {said}, {created} of them changed something"


def _line(text: str) -> str:
    if not text or not text.isprintable() or len(text) > 500:
        raise argparse.ArgumentTypeError("give one line of at most 500 characters")
    return text


def _day(text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
        end = datetime(day.year, day.month, day.day, tzinfo=timezone.utc) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2030-12-31") from error
    if end <= datetime.now(timezone.utc):
        raise argparse.ArgumentTypeError(f"{text} is in the past")
    return end
