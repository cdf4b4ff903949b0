"""The option that says with which vendor's settings a release is built."""

import argparse
import os
from pathlib import Path

from dt_logs_cfn.cli.terminal import tell
from dt_logs_cfn.settings import Settings

_FILE = Path("release.cfg")


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--config`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"the vendor's settings (default: {_FILE} in this folder if there is one, else unset)",
    )


def chosen(config: Path | None) -> Settings:
    """Read the settings that `--config` names, or those of this folder. Raises SettingsError."""
    if config is None and not os.path.lexists(_FILE):
        tell(f"There is no {_FILE} here, so the release is for no vendor. Name one with --config.")
        return Settings()
    return Settings.load(config or _FILE)
