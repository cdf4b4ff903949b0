"""The library's public names: the tests fail if one is added or removed."""

import pkgutil
import subprocess
import sys

import pytest

import dt_logs_cfn
from dt_logs_cfn import errors, settings
from dt_logs_cfn.release import build, folder
from dt_logs_cfn.verify import rebuild


def test_public_names() -> None:
    assert dt_logs_cfn.__all__ == [
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
    assert dir(dt_logs_cfn) == dt_logs_cfn.__all__


def test_no_name_shadows_a_module() -> None:
    modules = {each.name for each in pkgutil.iter_modules(dt_logs_cfn.__path__)}

    assert modules.isdisjoint(dt_logs_cfn.__all__)


def test_each_name_leads_to_its_object() -> None:
    assert all(hasattr(dt_logs_cfn, name) for name in dt_logs_cfn.__all__)
    assert dt_logs_cfn.DtLogsError is errors.DtLogsError
    assert dt_logs_cfn.Settings is settings.Settings
    assert dt_logs_cfn.build_release is build.build_release
    assert dt_logs_cfn.verify_template is rebuild.verify_template
    assert dt_logs_cfn.write_release is folder.write_release


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'build_relaese'"):
        _ = dt_logs_cfn.build_relaese


def test_star_import_gives_the_public_names_alone() -> None:
    code = "from dt_logs_cfn import *; print(*sorted(set(dir()) - {'__builtins__'}))"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    given = {name for name in process.stdout.split() if not name.startswith("__")}
    assert given == set(dt_logs_cfn.__all__) - {"__version__"}
