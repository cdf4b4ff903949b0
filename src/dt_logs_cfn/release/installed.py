"""Build the templates of the installed version, with the settings in its package.

The package contains the vendor's `release.cfg`. In a checkout, `release.cfg` at the top is a link
to that file.
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
    """Return the templates for these settings, by their names in a release; build them once.

    Raises SettingsError and BuildError; the latter also if `customize` fails.
    """
    return build_release(installed_settings(), customize).templates
