"""`publish`: put the release where customers launch it from, once and for ever; or withdraw one."""

import argparse
import random
import re
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import result, tell
from dt_logs_cfn.commands import vendor_settings
from dt_logs_cfn.errors import PublishError, SigningError, UsageError
from dt_logs_cfn.publish.destination import Destination, chosen, destinations
from dt_logs_cfn.publish.plan import Plan, Publication, publication_plan, withdrawal_plan
from dt_logs_cfn.publish.publisher import DestinationAccess, publish
from dt_logs_cfn.publish.report import Progress, data, print_plans, summary
from dt_logs_cfn.publish.revision import revision
from dt_logs_cfn.publish.store import Store
from dt_logs_cfn.release import ledger
from dt_logs_cfn.release.build import CHECKSUMS, Release, build_release
from dt_logs_cfn.release.customize_option import add_customize, load_customize
from dt_logs_cfn.release.folder import compare
from dt_logs_cfn.settings import DNS_SUFFIXES, Settings
from dt_logs_cfn.verify.fetching import optional
from dt_logs_cfn.verify.signature import sign, signers
from dt_logs_cfn.versions import is_version
from dt_logs_handler.names import ACCOUNT_ID


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `publish`."""
    vendor_settings.add_argument(parser)
    parser.add_argument(
        "--bucket",
        nargs="+",
        required=True,
        metavar="B",
        help="one or more buckets that release.cfg's base URLs name, of each partition one",
    )
    parser.add_argument("--prefix", metavar="P", help="checked against the base URL's")
    parser.add_argument(
        "--region", nargs="+", metavar="R", help="each bucket's; checked against the base URL's"
    )
    parser.add_argument(
        "--profile", nargs="+", metavar="NAME", help="the AWS CLI's profile; one, or each bucket's"
    )
    parser.add_argument(
        "--bucket-owner",
        nargs="+",
        type=_account,
        metavar="ID",
        help="the account that owns each bucket (default: that of the credentials)",
    )
    parser.add_argument("--latest", action="store_true", help="point latest.json to the version")
    parser.add_argument(
        "--sign", type=Path, metavar="KEY", help="sign SHA256SUMS with a key of ssh-keygen's"
    )
    parser.add_argument(
        "--retain-until",
        type=_day,
        metavar="YYYY-MM-DD",
        help="lock the objects until then (S3 Object Lock in compliance mode)",
    )
    parser.add_argument(
        "--revision", type=_line, metavar="ID", help="the source's (default: git's)"
    )
    parser.add_argument(
        "--withdraw", type=_version, metavar="VERSION", help="mark a version as withdrawn instead"
    )
    parser.add_argument("--reason", type=_line, metavar="TEXT", help="why it is withdrawn")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build"),
        metavar="DIR",
        help="the releases (default: build)",
    )
    add_customize(parser, "the function with which the release was built")
    parser.add_argument("--dry-run", action="store_true", help="print the steps; do none of them")
    parser.add_argument("--json", action="store_true", help="print the result for a program")
    aws.add_debug(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish or withdraw; answer 3 if a destination failed."""
    _check_usage(arguments)
    settings = vendor_settings.chosen(arguments.config)
    places = _destinations(arguments, settings)
    now = datetime.now(timezone.utc)
    plans = _plans(arguments, settings, places, now)
    if arguments.dry_run:
        print_plans(plans, arguments.json)
        return 0
    done = publish(plans, _place(arguments, places), optional, signers().signer, Progress(plans))
    found = {"destinations": [data(each) for each in done]}
    result(arguments.json, found, map(summary, done))
    for each in done:
        if each.failure:
            tell(f"dt-logs-cfn: {each.destination.bucket}: {each.failure}")
    return 3 if any(each.failure for each in done) else 0


def _check_usage(arguments: argparse.Namespace) -> None:
    count = len(arguments.bucket)
    if len(set(arguments.bucket)) < count:
        raise UsageError("A bucket is named twice.", "Name each bucket once.")
    for name in ("region", "profile", "bucket_owner"):
        given = getattr(arguments, name)
        if given and len(given) not in (1, count):
            raise UsageError(
                f"There are {count} buckets and {len(given)} of --{name.replace('_', '-')}.",
                "Give one for each bucket, in their order, or one for all.",
            )
    if (arguments.withdraw is None) != (arguments.reason is None):
        raise UsageError("--withdraw and --reason belong together.", "Say which version, and why.")
    for name in ("latest", "sign", "retain_until", "revision"):
        if arguments.withdraw is not None and getattr(arguments, name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is for publishing, not for --withdraw.", "Leave it out.")


def _destinations(arguments: argparse.Namespace, settings: Settings) -> list[Destination]:
    known = destinations(settings)
    return [
        chosen(known, bucket, arguments.prefix, _nth(arguments.region, number))
        for number, bucket in enumerate(arguments.bucket)
    ]


def _plans(
    arguments: argparse.Namespace,
    settings: Settings,
    places: Sequence[Destination],
    now: datetime,
) -> dict[Destination, Plan]:
    if arguments.withdraw is not None:
        plan = withdrawal_plan(arguments.withdraw, arguments.reason, now)
        return dict.fromkeys(places, plan)
    publication = _publication(arguments, settings, now)
    return {each: publication_plan(publication, each) for each in places}


def _publication(arguments: argparse.Namespace, settings: Settings, now: datetime) -> Publication:
    """Return what is published: what this source builds, which is also what is on disk."""
    out: Path = arguments.out
    release = build_release(settings, load_customize(arguments.customize))
    if compare(release, out / release.version):
        raise PublishError(
            f"{out / release.version} is not what this source builds.",
            "Run `dt-logs-cfn build`, look at what changed, and commit it.",
        )
    if not ledger.is_released(release, out):
        raise PublishError(
            f"{release.version} is not marked as released.",
            f"Run `dt-logs-cfn build --mark-released`, and commit {out / ledger.LEDGER}.",
        )
    at = arguments.revision or revision(Path.cwd())
    signature = _signature(release, arguments.sign)
    return Publication(release, signature, at, now, arguments.latest, arguments.retain_until)


def _signature(release: Release, key: Path | None) -> bytes | None:
    if key is None:
        tell("warning: not signed; --sign KEY signs it.")
        return None
    sums = release.files[CHECKSUMS]
    signature = sign(sums, key)
    if signers().signer(sums, signature) is None:
        raise SigningError(
            f"{key} is no key of src/dt_logs_cfn/signers/allowed_signers, or it is revoked.",
            "Sign with a key that customers can verify, or enter its public half there first.",
        )
    return signature


def _place(
    arguments: argparse.Namespace, places: Sequence[Destination]
) -> Callable[[Destination], DestinationAccess]:
    # A session is no thing for two threads, so all are made before any thread begins.
    with aws.errors():
        sessions = [
            aws.session(_nth(arguments.profile, number), each.region)
            for number, each in enumerate(places)
        ]
        clients = {
            each: (
                session.client("s3", config=aws.CONFIG),
                session.client("sts", config=aws.CONFIG),
            )
            for each, session in zip(places, sessions, strict=True)
        }

    def place(destination: Destination) -> DestinationAccess:
        s3, sts = clients[destination]
        number = places.index(destination)
        owner = _nth(arguments.bucket_owner, number) or sts.get_caller_identity()["Account"]
        store = Store(s3, destination.bucket, owner, time.sleep, random.Random())
        return DestinationAccess(destination, store, _public_url(destination, s3.meta.endpoint_url))

    return place


def _public_url(destination: Destination, endpoint: str) -> str:
    """Return where customers find it: at an emulated account's endpoint, if that is where S3 is."""
    if (urlsplit(endpoint).hostname or "").endswith(f".{DNS_SUFFIXES[destination.partition]}"):
        return destination.url
    tell(f"warning: S3 is at {endpoint}, not at AWS: {destination.url} is not.")
    return "/".join(filter(None, (endpoint, destination.bucket, destination.prefix)))


def _nth(values: Sequence[str] | None, number: int) -> str | None:
    """Return a bucket's own value, or the one that holds for all."""
    if not values:
        return None
    return values[0] if len(values) == 1 else values[number]


def _version(text: str) -> str:
    if not is_version(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no version like 1.2.3")
    return text


def _account(text: str) -> str:
    if not re.fullmatch(ACCOUNT_ID, text):
        raise argparse.ArgumentTypeError(f"{text!r} is no account id of 12 digits")
    return text


def _line(text: str) -> str:
    if not text or not text.isprintable() or len(text) > 500:
        raise argparse.ArgumentTypeError("give one line of at most 500 characters")
    return text


def _day(text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
        end = datetime(day.year, day.month, day.day, tzinfo=timezone.utc) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day like 2030-12-31") from error
    if end <= datetime.now(timezone.utc):
        raise argparse.ArgumentTypeError(f"{text} is over")
    return end
