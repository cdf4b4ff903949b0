"""Generate the CloudFormation release that onboards ALB access logs.

    from dt_logs_cfn import Settings, build_release, write_release

    release = build_release(Settings.load("release.cfg"))
    write_release(release, "build")

A release depends only on the settings and, if you pass one, on the function that changes the
templates. Only `Settings.load`, `write_release` and `compare` use files outside the installed
packages. No public function uses the network. Expected failures are `DtLogsError`s.
docs/library.md has worked examples.

To read the program, begin with `template`, then `release`; `cli.main` lists the commands.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dt_logs_cfn.errors import DtLogsError as DtLogsError
    from dt_logs_cfn.release.build import Release as Release
    from dt_logs_cfn.release.build import build_release as build_release
    from dt_logs_cfn.release.folder import Difference as Difference
    from dt_logs_cfn.release.folder import compare as compare
    from dt_logs_cfn.release.folder import write_release as write_release
    from dt_logs_cfn.release.lint import Finding as Finding
    from dt_logs_cfn.release.lint import lint_templates as lint_templates
    from dt_logs_cfn.settings import FunctionSettings as FunctionSettings
    from dt_logs_cfn.settings import Privileges as Privileges
    from dt_logs_cfn.settings import Settings as Settings
    from dt_logs_cfn.settings import Vendor as Vendor
    from dt_logs_cfn.template.customizing import Customize as Customize
    from dt_logs_cfn.template.embedding import handler_zip as handler_zip
    from dt_logs_cfn.template.role_policies import PolicyLimits as PolicyLimits
    from dt_logs_cfn.template.role_policies import execution_policy as execution_policy
    from dt_logs_cfn.template.role_policies import refresh_policy as refresh_policy
    from dt_logs_cfn.template.role_policies import service_role_policy as service_role_policy
    from dt_logs_cfn.template.role_policies import service_role_trust as service_role_trust
    from dt_logs_cfn.template.templates import Origin as Origin
    from dt_logs_cfn.template.templates import TemplateKind as TemplateKind
    from dt_logs_cfn.template.templates import service_role_template as service_role_template
    from dt_logs_cfn.template.templates import stack_template as stack_template
    from dt_logs_cfn.verify.rebuild import Verdict as Verdict
    from dt_logs_cfn.verify.rebuild import verify_template as verify_template
else:
    _NAMES = {
        "errors": "DtLogsError",
        "release.build": "Release build_release",
        "release.folder": "Difference compare write_release",
        "release.lint": "Finding lint_templates",
        "settings": "FunctionSettings Privileges Settings Vendor",
        "template.customizing": "Customize",
        "template.embedding": "handler_zip",
        "template.role_policies": "PolicyLimits execution_policy refresh_policy service_role_policy"
        " service_role_trust",
        "template.templates": "Origin TemplateKind service_role_template stack_template",
        "verify.rebuild": "Verdict verify_template",
    }
    _HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}
    __all__ = sorted([*_HOMES, "__version__"])

    def __getattr__(name):
        """Import a public name on first use, because cfn-lint and troposphere load slowly."""
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

    def __dir__():
        """Return the public names."""
        return __all__
