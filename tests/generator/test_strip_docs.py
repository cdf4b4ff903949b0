"""The shipped handler does the same as its sources, without the parts that only readers need."""

import ast
from importlib.resources import files

import pytest

from dt_logs_cfn.template.strip_docs import strip_docs

HANDLER = sorted(
    (each for each in files("dt_logs_handler").iterdir() if each.name.endswith(".py")),
    key=lambda each: each.name,
)
LONG = "x" * 130  # two of them are too long for one line
EVERYTHING = '''"""Module."""

from __future__ import annotations

import os.path  # which is not looked at
from collections.abc import (
    Callable,
    Iterator,
)
from typing import TYPE_CHECKING, Protocol, cast as as_  # noqa

if TYPE_CHECKING:
    from typing import Any

# Why.
LIMIT: int = 3  # seconds
NAME: str


class Error(Exception):
    """Only this."""


class Reader(Protocol):
    """Reads."""

    size: int = 0

    def read(
        self,
        name: str,  # of the file
        *more: list[str],
        limit: int | None = None,
        **others: Any,
    ) -> tuple[
        str, int
    ]:
        """Read."""


async def größe(ü: str, /, *, é: "x: y" = "a -> b: #c") -> (dict[str, int]):
    """One.

    More.
    """
    # Why.
    found: list[str] = [ü]

    class Local:
        field: int = 1

    match found:
        case [_]:
            try:
                with open(ü) as file:
                    text: str = file.read()
            except OSError:
                text: str
                raise

    def inner() -> None:
        """Another docstring."""

    print(
        [
            "(",
            len(ü),
        ],
        text
        or found,
    )
    long = [
        "%s",
        "%s",
    ]
    return lambda: f"""{text} -> {as_(é)!r}: no docstring"""


def unused() -> Callable[[], None]:
    """An annotation alone."""
'''.replace("%s", LONG)
STRIPPED = '''from __future__ import annotations
import os.path
from typing import Protocol, cast as as_
LIMIT: ... = 3
NAME: ...

class Error(Exception):
    ...

class Reader(Protocol):
    size: ... = 0

    def read(self, name, *more, limit = None, **others):
        ...

async def größe(ü, /, *, é = "a -> b: #c"):
    found: ... = [ü]

    class Local:
        field: ... = 1
    match found:
        case [_]:
            try:
                with open(ü) as file:
                    text: ... = file.read()
            except OSError:
                text: ...
                raise

    def inner():
        ...
    print(["(", len(ü)], text or found)
    long = [
        "%s",
        "%s",
    ]
    return lambda: f"""{text} -> {as_(é)!r}: no docstring"""

def unused():
    ...
'''.replace("    ", "\t").replace("%s", LONG)


class Stripper(ast.NodeTransformer):
    """Removes the same parts from a syntax tree as `strip_docs` removes from the source."""

    def visit(self, node: ast.AST) -> ast.AST | None:
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING"), orelse=[]):
                return None
            case ast.arg():
                node.annotation = None
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                node.returns = None
            case ast.AnnAssign():
                node.annotation = ast.Constant(...)
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if ast.get_docstring(node, clean=False) is not None:
                    alone = not node.body[1:] and not isinstance(node, ast.Module)
                    node.body[:1] = [ast.Expr(ast.Constant(...))] if alone else []
        return self.generic_visit(node)


def expected(source: str) -> str:
    tree = Stripper().visit(ast.parse(source))
    used = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
    for each in tree.body:
        if isinstance(each, ast.ImportFrom) and each.module != "__future__":
            each.names = [name for name in each.names if (name.asname or name.name) in used]
    tree.body = [each for each in tree.body if getattr(each, "names", True)]
    return ast.dump(tree)


def test_cuts_documentation_and_annotations_and_nothing_else() -> None:
    assert strip_docs(EVERYTHING) == STRIPPED
    assert ast.dump(ast.parse(STRIPPED)) == expected(EVERYTHING)


@pytest.mark.parametrize("source", HANDLER, ids=lambda each: each.name)
def test_each_module_of_the_handler_means_the_same_with_nothing_left_to_cut(source) -> None:
    text = source.read_text("utf-8")
    once = strip_docs(text)

    assert ast.dump(ast.parse(once)) == expected(text)
    assert strip_docs(once.expandtabs(4)) == once


def test_a_module_without_statements_is_empty() -> None:
    for source in ("", '"""Only a docstring."""\n', "# Only a comment.\n"):
        assert strip_docs(source) == ""


@pytest.mark.parametrize(
    "source",
    [
        "def f(): return 1\n\nif f:\n    pass\n",
        "def f():\n\tx = 1\n\tif x:\n\t\tpass\n\nif f:\n    pass\n",
    ],
)
def test_another_format_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="more than a signature"):
        strip_docs(source)
