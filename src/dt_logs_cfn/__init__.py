"""Generate the CloudFormation release that onboards ALB access logs.

    from pathlib import Path
    from dt_logs_cfn import Settings, build_release, write_release

    release = build_release(Settings.load(Path("release.cfg")))
    write_release(release, Path("build"))

What is made is decided by the settings alone. Only `Settings.load`, `write_release` and `compare`
touch the file system, and nothing the network. Expected failures are `DtLogsError`s.

To read the program, begin with `template`, then `release`; `cli.main` lists the commands.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Difference",
    "DtLogsError",
    "Finding",
    "Release",
    "Settings",
    "Vendor",
    "Verdict",
    "__version__",
    "build_release",
    "compare",
    "lint_templates",
    "verify_template",
    "write_release",
]

if TYPE_CHECKING:
    from dt_logs_cfn.errors import DtLogsError
    from dt_logs_cfn.release.build import Release, build_release
    from dt_logs_cfn.release.findings import Finding
    from dt_logs_cfn.release.folder import Difference, compare, write_release
    from dt_logs_cfn.release.lint import lint_templates
    from dt_logs_cfn.settings import Settings, Vendor
    from dt_logs_cfn.verify.rebuild import Verdict, verify_template
else:
    _HOMES = {
        "Difference": "release.folder",
        "DtLogsError": "errors",
        "Finding": "release.findings",
        "Release": "release.build",
        "Settings": "settings",
        "Vendor": "settings",
        "Verdict": "verify.rebuild",
        "build_release": "release.build",
        "compare": "release.folder",
        "lint_templates": "release.lint",
        "verify_template": "verify.rebuild",
        "write_release": "release.folder",
    }

    def __getattr__(name):
        """Import a public name when it is first asked for: cfn-lint and troposphere take long."""
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
