"""`verify`: tell in one line whether a template is this release; extract its handler to read."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from dt_logs_cfn import canonical
from dt_logs_cfn.errors import ReleaseError
from dt_logs_cfn.template_file import read_template
from dt_logs_cfn.templates import Origin
from dt_logs_cfn.verify import Verdict, handler_sources, shown, verify_template

_MOST = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `verify`."""
    parser.add_argument("template", type=Path, metavar="FILE", help="a template, from anywhere")
    parser.add_argument(
        "--extract",
        type=Path,
        metavar="DIR",
        help="write the handler's sources to this new folder, to be read",
    )
    parser.add_argument("--json", action="store_true", help="print the verdict for a program")


def run(arguments: argparse.Namespace) -> int:
    """Print the verdict; answer 1 if the template differs."""
    text = read_template(arguments.template)
    if arguments.extract is not None:
        _write(handler_sources(text), arguments.extract)
    verdict = verify_template(text)
    if arguments.json:
        sys.stdout.write(canonical.dumps(_report(verdict)))
    else:
        print(f"{arguments.template}: {_line(verdict)}")
    return 0 if verdict.identical else 1


def _line(verdict: Verdict) -> str:
    if verdict.identical:
        return f"identical to {_described(verdict.origin)}"
    listed = ", ".join(verdict.differences[:_MOST])
    more = len(verdict.differences) - _MOST
    rest = f", and {more} more" if more > 0 else ""
    return f"differs from {_described(verdict.origin)}: {listed}{rest}"


def _described(origin: Origin) -> str:
    kind = origin.privileges.value if origin.privileges else "CloudFormation's role"
    vendors = [
        f"in {vendor.partition} account {vendor.vendor_account_id or 'to be given'}"
        f" and endpoint {shown(vendor.notification_endpoint) or 'to be given'}"
        for vendor in origin.settings.vendors
    ]
    return f"release {origin.version}, {kind}, for {'; '.join(vendors) or 'no vendor yet'}"


def _report(verdict: Verdict) -> dict[str, object]:
    origin = verdict.origin
    return {
        "result": "identical" if verdict.identical else "differs",
        "differences": list(verdict.differences),
        "version": origin.version,
        "privileges": origin.privileges.value if origin.privileges else None,
        "settings": origin.settings.to_metadata(),
    }


def _write(sources: Mapping[str, bytes], folder: Path) -> None:
    """Write sources, whose names were checked, to a folder with nothing in it yet."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ReleaseError(f"{folder} is not empty.", "Name a new folder with --extract.")
        for name, content in sources.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise ReleaseError(
            f"The sources cannot be written to {folder}: {error.strerror or error}.",
            "Name a folder that you may write, with --extract.",
        ) from error
