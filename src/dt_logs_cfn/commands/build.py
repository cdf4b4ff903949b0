"""`build`: write the release of this version, or compare it with the release on disk."""

import argparse
from pathlib import Path

from dt_logs_cfn.cli.terminal import result, tell
from dt_logs_cfn.commands import release_options
from dt_logs_cfn.release.build import TEMPLATE_LIMIT, Release, build_release
from dt_logs_cfn.release.folder import LEDGER, compare, is_released, mark, released, write_release


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `build`."""
    release_options.add_config(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build"),
        metavar="DIR",
        help="the folder of the releases; this release is DIR/<version> (default: build)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; show how the release on disk differs, and exit with 1 if it does",
    )
    parser.add_argument(
        "--mark-released",
        action="store_true",
        help=f"enter the version into DIR/{LEDGER}: its files must never change again",
    )
    release_options.add_customize(
        parser, "change the templates with this function; see docs/library.md"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Build and write the release; with `--mark-released`, also mark it as released.

    With `--check`, only compare with the release on disk, and return 1 for a problem.
    """
    out: Path = arguments.out
    settings = release_options.load_settings(arguments.config)
    release = build_release(settings, release_options.load_customize(arguments.customize))
    if arguments.check:
        return _check(release, out, arguments.json)
    is_released(release, out)  # raises if other files were released as this version
    folder = write_release(release, out)
    if arguments.mark_released and mark(release, out):
        tell(f"{release.version} is now in {out / LEDGER}: commit it.")
    result(arguments.json, _summary(release, folder), _listing(release, folder))
    for warning in release.warnings:
        tell(f"warning: {warning}")
    return 0


def _check(release: Release, out: Path, as_json: bool) -> int:
    """Compare the release with its folder, check released versions; return 1 for a problem."""
    folder = out / release.version
    differences = compare(release, folder)
    lines = "".join(each.diff for each in differences).splitlines()
    result(as_json, {"differs": [each.name for each in differences]}, lines)
    if differences:
        tell(f"{folder} is not what this source builds. Run `dt-logs-cfn build` to write it.")
        return 1
    tell(f"{folder} is what this source builds.")
    if not released(out):
        return 0
    # Imported only here, because a build does not need it.
    from dt_logs_cfn.diff import problems

    found = problems(release, out)
    for line in found:
        tell(line)
    return 1 if found else 0


def _summary(release: Release, folder: Path) -> dict[str, object]:
    return {
        "version": release.version,
        "folder": str(folder),
        "files": {name: len(content) for name, content in release.files.items()},
        "warnings": list(release.warnings),
    }


def _listing(release: Release, folder: Path) -> list[str]:
    return [
        f"{len(content):>7,} bytes  {folder / name}"
        + (f"  {len(content) / TEMPLATE_LIMIT:.0%} of the limit" if ".template." in name else "")
        for name, content in release.files.items()
    ]
