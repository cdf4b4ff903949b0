"""Generate the CloudFormation release that onboards ALB access logs.

    from dt_logs_cfn import Settings, build_release, write_release

    release = build_release(Settings.load("release.cfg"))
    write_release(release, "build")

The settings alone decide what is built, unless you change the templates with a function. Only
`Settings.load`, `write_release` and `compare` use the file system. Nothing uses the network.
Expected failures are `DtLogsError`s. docs/library.md has worked examples.

To read the program, begin with `template`, then `release`; `cli.main` lists the commands.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Customize",
    "Difference",
    "DtLogsError",
    "Finding",
    "FunctionSettings",
    "Origin",
    "PolicyLimits",
    "Privileges",
    "Release",
    "Settings",
    "TemplateKind",
    "Vendor",
    "Verdict",
    "__version__",
    "build_release",
    "compare",
    "execution_policy",
    "handler_zip",
    "lint_templates",
    "refresh_policy",
    "service_role_policy",
    "service_role_template",
    "service_role_trust",
    "stack_template",
    "verify_template",
    "write_release",
]

if TYPE_CHECKING:
    from dt_logs_cfn.errors import DtLogsError
    from dt_logs_cfn.release.build import Release, build_release
    from dt_logs_cfn.release.folder import Difference, compare, write_release
    from dt_logs_cfn.release.lint import lint_templates
    from dt_logs_cfn.release.rules import Finding
    from dt_logs_cfn.settings import FunctionSettings, Privileges, Settings, Vendor
    from dt_logs_cfn.template.customizing import Customize
    from dt_logs_cfn.template.embedding import handler_zip
    from dt_logs_cfn.template.execution_policies import (
        PolicyLimits,
        execution_policy,
        refresh_policy,
    )
    from dt_logs_cfn.template.service_policies import service_role_policy, service_role_trust
    from dt_logs_cfn.template.templates import (
        Origin,
        TemplateKind,
        service_role_template,
        stack_template,
    )
    from dt_logs_cfn.verify.rebuild import Verdict, verify_template
else:
    _NAMES = {
        "errors": "DtLogsError",
        "release.build": "Release build_release",
        "release.folder": "Difference compare write_release",
        "release.lint": "lint_templates",
        "release.rules": "Finding",
        "settings": "FunctionSettings Privileges Settings Vendor",
        "template.customizing": "Customize",
        "template.embedding": "handler_zip",
        "template.execution_policies": "PolicyLimits execution_policy refresh_policy",
        "template.service_policies": "service_role_policy service_role_trust",
        "template.templates": "Origin TemplateKind service_role_template stack_template",
        "verify.rebuild": "Verdict verify_template",
    }
    _HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

    def __getattr__(name):
        """Import a public name on first use, because cfn-lint and troposphere load slowly."""
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__():
        """Return the public names."""
        return sorted(__all__)
