"""The library's public names, as type checkers and programs see them."""

import ast
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import dt_logs_cfn

# The names and their modules, from the imports that only type checkers read.
DECLARED = {
    alias.name: node.module
    for node in ast.walk(ast.parse(Path(dt_logs_cfn.__file__).read_text("utf-8")))
    if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dt_logs_cfn.")
    for alias in node.names
}


def test_a_program_gets_what_type_checkers_see_and_nothing_else() -> None:
    names: dict[str, object] = {}
    exec("from dt_logs_cfn import *", names)
    del names["__builtins__"]

    assert len(DECLARED) == 25
    assert dir(dt_logs_cfn) == dt_logs_cfn.__all__ == sorted([*DECLARED, "__version__"])
    assert names == {"__version__": dt_logs_cfn.__version__} | {
        name: getattr(import_module(str(module)), name) for name, module in DECLARED.items()
    }
    with pytest.raises(AttributeError, match="no attribute 'build_relaese'"):
        _ = dt_logs_cfn.build_relaese


def test_no_name_shadows_a_module() -> None:
    modules = {each.name for each in pkgutil.iter_modules(dt_logs_cfn.__path__)}

    assert modules.isdisjoint(dt_logs_cfn.__all__)
