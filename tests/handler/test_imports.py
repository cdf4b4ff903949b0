"""The handler's sources import only the standard library, boto3 and each other."""

import ast
import sys
from collections.abc import Iterator
from importlib.resources import files

import pytest

SOURCES = sorted(
    (each.name, each.read_text(encoding="utf-8"))
    for each in files("dt_logs_handler").iterdir()
    if each.name.endswith(".py")
)
ALLOWED = {"boto3", "botocore", *sys.stdlib_module_names}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level names of all imports, except those for type checkers and of siblings."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import():
                yield from (name.name.partition(".")[0] for name in node.names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield module.partition(".")[0]
        yield from imported(node)


@pytest.mark.parametrize(("name", "source"), SOURCES, ids=[name for name, _ in SOURCES])
def test_module_imports_nothing_that_lambda_lacks(name: str, source: str) -> None:
    assert set(imported(ast.parse(source, name))) <= ALLOWED
