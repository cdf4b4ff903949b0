"""The release that the installed version builds, for the vendor that its package names.

The package carries the vendor's `release.cfg`; in a checkout, the one at the top is a link to it.
"""

from functools import cache
from pathlib import Path

from dt_logs_cfn.release.build import build_release
from dt_logs_cfn.settings import Settings

_SETTINGS = Path(__file__).parents[1] / "release.cfg"


def installed_settings() -> Settings:
    """Return the vendor's settings from the package. Raises SettingsError."""
    return Settings.load(_SETTINGS)


@cache
def installed_templates() -> dict[str, str]:
    """Build the templates from those settings, once, by their names in a release.

    Raises SettingsError, BuildError.
    """
    files = build_release(installed_settings()).files
    return {name: text.decode() for name, text in files.items() if name.endswith(".template.json")}
