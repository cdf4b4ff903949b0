import ast
from importlib.resources import files

import pytest

from dt_logs_cfn.template.strip_docs import undocumented

SOURCES = [each for each in files("dt_logs_handler").iterdir() if each.name.endswith(".py")]


class Documentation(ast.NodeTransformer):
    """Takes docstrings away, and the `...` that stand in for them."""

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            constants = (
                each for each in body if isinstance(each, ast.Expr) and _is_constant(each.value)
            )
            for each in list(constants):
                body.remove(each)
        return node


def _is_constant(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and (value.value is ... or isinstance(value.value, str))


def meaning(source: str) -> tuple[str, list[int]]:
    tree = Documentation().visit(ast.parse(source))
    return ast.dump(tree), [node.lineno for node in ast.walk(tree) if hasattr(node, "lineno")]


@pytest.mark.parametrize("source", SOURCES, ids=lambda each: each.name)
def test_the_handler_means_the_same_on_the_same_lines(source) -> None:
    text = source.read_text("utf-8")

    assert meaning(text) == meaning(undocumented(text))


def test_blanks_docstrings_and_comments_and_nothing_else() -> None:
    source = '''"""Module."""

X = "# no comment"  # stays


class Error(Exception):
    """Only this."""


def f() -> str:
    """One.

    More.
    """
    # why
    return """text"""
'''
    assert (
        undocumented(source)
        == '''

X = "# no comment"  # stays


class Error(Exception):
    ...


def f() -> str:




    # why
    return """text"""
'''.replace("    # why\n", "\n")
    )
