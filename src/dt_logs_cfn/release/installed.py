"""The release that the installed version builds, with the settings in its package.

The package contains the vendor's `release.cfg`. In a checkout, the file at the top is a link to it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from dt_logs_cfn.release.build import build_release
from dt_logs_cfn.settings import Settings
from dt_logs_cfn.template.customizing import Customize

_SETTINGS = Path(__file__).parents[1] / "release.cfg"


def installed_settings() -> Settings:
    """Return the vendor's settings from the package. Raises SettingsError."""
    return Settings.load(_SETTINGS)


@cache
def installed_templates(customize: Customize | None = None) -> Mapping[str, str]:
    """Build the templates from those settings, once, by their names in a release.

    Raises SettingsError, BuildError, and what `customize` raises.
    """
    return build_release(installed_settings(), customize).templates
