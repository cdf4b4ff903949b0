"""`verify`: check whether a template, handler.zip or stack is this release; extract its handler."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dt_logs_cfn import __version__, aws
from dt_logs_cfn.cli.terminal import result, shown_ascii
from dt_logs_cfn.commands.release_options import add_customize, load_customize
from dt_logs_cfn.errors import DtLogsError, ReleaseError, VerifyError
from dt_logs_cfn.operate import stack_options
from dt_logs_cfn.publish.destination import destination
from dt_logs_cfn.release.build import installed_settings
from dt_logs_cfn.release.folder import write_files
from dt_logs_cfn.settings import Settings, Vendor
from dt_logs_cfn.template import embedding
from dt_logs_cfn.template.parsing import decoded, parse_template
from dt_logs_cfn.template.templates import Origin, origin
from dt_logs_cfn.verify import fetching, provenance
from dt_logs_cfn.verify.provenance import Provenance, Signers, Source, signers
from dt_logs_cfn.verify.rebuild import handler_differences, handler_sources, verify_template
from dt_logs_handler.names import Stack

_MOST = 20  # the maximum number of differences listed; --json has all


@dataclass(frozen=True)
class _Answer:
    """The result of a verification; `origin` is None for a handler.zip.

    `customize` names the function that customized the rebuilt template, if any.
    """

    name: str
    differences: tuple[str, ...]
    origin: Origin | None
    provenance: Provenance
    customize: str | None = None

    @property
    def fine(self) -> bool:
        return not self.differences and self.provenance.sound


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `verify`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "given",
        nargs="?",
        metavar="WHAT",
        help="a template or handler.zip: a file, an https URL, or s3://BUCKET/KEY",
    )
    stack_options.add_stack(what, "verify what this stack runs, instead of a file", None)
    parser.add_argument(
        "--extract",
        type=Path,
        metavar="DIR",
        help="write the handler's sources to this new folder, to read them",
    )
    parser.add_argument(
        "--signers", type=Path, metavar="FILE", help="a file of allowed signers (default: ours)"
    )
    parser.add_argument(
        "--require-signature",
        action="store_true",
        help="fail if a local file is unsigned (remote files must always be signed)",
    )
    parser.add_argument(
        "--bucket-owner", metavar="ID", help="the account that owns the bucket (default: your own)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings of the expected vendor (default: the installed version's)",
    )
    add_customize(parser, "your copy of the function that customized the release")
    aws.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Verify, and print the result; with `--extract`, also write the handler's sources.

    Return 1 for a difference, or a finding about the signature or the version.
    """
    answer = _stack(arguments) if arguments.stack is not None else _given(arguments)
    result(arguments.json, _report(answer), _lines(answer))
    return 0 if answer.fine else 1


def _given(arguments: argparse.Namespace) -> _Answer:
    known = signers()
    if arguments.signers is not None:
        known = Signers(arguments.signers, known.revoked)
    with aws.errors():
        source = _read(arguments)
        if source.content.startswith(b"PK"):
            return _archive(source, known, arguments)
        text = decoded(source.content, source.name)
        found = provenance.check(source, _claimed(text), known, arguments.require_signature)
    if arguments.extract is not None:
        _write(handler_sources(text), arguments.extract)
    try:
        parse_template(text, source.name)  # also parsed here, so that an error names the source
        verdict = verify_template(text, load_customize(arguments.customize))
    except VerifyError as error:
        facts = [] if found.state == "unsigned" else [f"It is {found.signature}."]
        if found.standing == "withdrawn":
            facts.append(f"It was {found.told}.")
        raise VerifyError(" ".join((error.what, *facts)), error.fix) from error
    differences = (*verdict.differences, *_other_vendor(verdict.origin, arguments.config))
    return _Answer(source.name, differences, verdict.origin, found, arguments.customize)


def _archive(source: Source, known: Signers, arguments: argparse.Namespace) -> _Answer:
    differences = handler_differences(source.content)
    if arguments.extract is not None:
        _write(embedding.unpack(source.content), arguments.extract)
    found = provenance.check(source, __version__, known, arguments.require_signature)
    return _Answer(source.name, differences, None, found)


def _other_vendor(origin: Origin, config: Path | None) -> list[str]:
    """Return a list that has a difference if a template is not for the expected vendor.

    A template's own record is not enough, because its author may have entered another vendor.
    """
    ours = installed_settings() if config is None else Settings.load(config)
    if not ours.vendors or ours.vendors == origin.settings.vendors:
        return []
    return [f"it is for another vendor than {config or 'the installed release.cfg'} names"]


def _read(arguments: argparse.Namespace) -> Source:
    what: str = arguments.given
    if what.startswith("s3://"):
        session = aws.session(arguments.profile, arguments.region)
        sts = session.client("sts")
        owner = arguments.bucket_owner or sts.get_caller_identity()["Account"]
        return provenance.from_s3(what, session.client("s3"), owner)
    return provenance.from_url(what) if fetching.is_url(what) else provenance.from_file(Path(what))


def _stack(arguments: argparse.Namespace) -> _Answer:
    from dt_logs_cfn.operate import deployed

    stack_options.check_stack(arguments.stack, or_id=True)
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        found = deployed.read(session, arguments.stack, fetching.fetch)
    if arguments.extract is not None:
        _write(handler_sources(found.template), arguments.extract)
    verdict = verify_template(found.template, load_customize(arguments.customize))
    vendor = verdict.origin.settings.vendor(Stack.of(found.stack_id).partition)
    differences = (
        *verdict.differences,
        *_other_vendor(verdict.origin, arguments.config),
        *deployed.changes(found),
    )
    published = _published(vendor, found.template)
    name = f"stack {arguments.stack}"
    return _Answer(name, differences, verdict.origin, published, arguments.customize)


def _published(vendor: Vendor, template: str) -> Provenance:
    """Look up, at the S3 location that the template names, whether the version was withdrawn."""
    try:
        if not vendor.base_url:
            raise VerifyError("the template has no base URL", "")
        folder = f"{destination(vendor).url}/{__version__}"
        source = Source(folder, template.encode(), provenance.below_url(folder))
        found = provenance.standing(source, __version__)
    except DtLogsError as error:
        found = provenance.unknown(error.what)
    return Provenance("unsigned", "a stack is not signed; it was rebuilt and compared", *found[:2])


def _claimed(text: str) -> str | None:
    """Return the version that a template claims, or None."""
    try:
        return origin(parse_template(text)).version
    except DtLogsError:
        return None


def _lines(answer: _Answer) -> list[str]:
    origin, found = answer.origin, answer.differences
    what = f"the handler of release {__version__}"
    if origin:
        what = _described(origin, answer.customize)
    line = f"identical to {what}"
    if found:
        line = f"differs from {what}: {', '.join(found[:_MOST])}"
    if len(found) > _MOST:
        line += f", and {len(found) - _MOST} more"
    lines = [line]
    if origin and origin.customized_by and answer.customize is None:
        by = shown_ascii(origin.customized_by)
        lines.append(
            f"it says that {by} customized it; pass your copy of that function with --customize"
        )
    lines += [answer.provenance.signature, answer.provenance.told]
    return [f"{answer.name}: {line}" for line in lines]


def _described(origin: Origin, customize: str | None) -> str:
    vendors = "; ".join(
        f"in {vendor.partition} account {vendor.vendor_account_id or 'to be given'}"
        f" and endpoint {shown_ascii(vendor.notification_endpoint) or 'to be given'}"
        for vendor in origin.settings.vendors
    )
    function = ", ".join(f"{k} {v}" for k, v in origin.settings.function.to_metadata().items())
    parts = (
        f"release {origin.version}",
        f"customized by {customize}" if customize else "",
        origin.privileges.value if origin.privileges else "CloudFormation's role",
        f"with {function}" if function else "",
        f"for {vendors or 'no vendor yet'}",
    )
    return ", ".join(filter(None, parts))


def _report(answer: _Answer) -> dict[str, object]:
    origin = answer.origin
    return {
        "result": "differs" if answer.differences else "identical",
        "differences": list(answer.differences),
        "version": origin.version if origin else __version__,
        "privileges": origin.privileges.value if origin and origin.privileges else None,
        "settings": origin.settings.to_metadata() if origin else None,
        "customized_by": (origin.customized_by or None) if origin else None,
        "signature": {"state": answer.provenance.state, "told": answer.provenance.signature},
        "version_status": {"state": answer.provenance.standing, "told": answer.provenance.told},
    }


def _write(sources: Mapping[str, bytes], folder: Path) -> None:
    """Write sources with checked names to a new or empty folder. Raises ReleaseError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ReleaseError(f"{folder} is not empty.", "Name a new folder with --extract.")
        write_files(sources, folder)
    except OSError as error:
        raise ReleaseError(
            f"The sources cannot be written to {folder}: {error.strerror or error}.",
            "Name a writable folder with --extract.",
        ) from error
