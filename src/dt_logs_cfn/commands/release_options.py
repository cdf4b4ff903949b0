"""Declare and load the options that determine the release: `--config` and `--customize`."""

import argparse
import os
import re
import sys
from importlib import import_module
from pathlib import Path

from dt_logs_cfn.cli.terminal import cut, one_line, tell
from dt_logs_cfn.errors import BuildError, UsageError
from dt_logs_cfn.settings import Settings
from dt_logs_cfn.template.customizing import Customize

_FILE = Path("release.cfg")
_FORM = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare `--config`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"the vendor's settings (default: {_FILE} in this folder, or no settings)",
    )


def load_settings(config: Path | None) -> Settings:
    """Load `--config` or this folder's release.cfg; without both, warn and return no settings.

    Raises SettingsError.
    """
    if config is None and not os.path.lexists(_FILE):
        tell(f"{_FILE} is not in this folder: building without a vendor. Name it with --config.")
        return Settings()
    return Settings.load(config or _FILE)


def add_customize(parser: argparse.ArgumentParser, help: str) -> None:
    """Declare `--customize`."""
    parser.add_argument("--customize", metavar="MODULE:FUNCTION", help=help)


def load_customize(named: str | None) -> Customize | None:
    """Import and return the function that `--customize` names; return None without a name.

    The module may be in the current folder, which is added to `sys.path`. Only the module on the
    command line is imported, never one that a template or release names. Raises UsageError if the
    function does not exist, and BuildError if its module cannot be imported.
    """
    if named is None:
        return None
    form = _FORM.fullmatch(named)
    if form is None:
        raise UsageError(
            f"{cut(repr(named), 80)} is not a function.", "Give --customize MODULE:FUNCTION."
        )
    folder = str(Path.cwd())
    if folder not in sys.path:  # like `python -m`, but after the installed modules
        sys.path.append(folder)
    module, name = form.groups()
    try:
        found = getattr(import_module(module), name, None)
    except (Exception, SystemExit) as error:  # a customer's code may raise anything
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if not missing or not f"{module}.".startswith(f"{missing}."):
            why = cut(one_line(f"{type(error).__name__}: {error}"), 200).rstrip(".")
            raise BuildError(f"{module} cannot be imported: {why}.", "Correct it first.") from error
        found = None
    if not callable(found):
        raise UsageError(
            f"Module {module} was not found, or has no function {name}.",
            "Name a function of a module in this folder, or of an installed module.",
        )
    customize: Customize = found
    return customize
