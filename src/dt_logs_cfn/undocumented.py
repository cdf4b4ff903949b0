"""Python sources without their documentation, for where each byte counts.

What runs is left as it was written, on the lines on which it was written, so that a traceback names
lines of the repository's own files.
"""

import ast

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def undocumented(source: str) -> str:
    """Return a module's source with its docstrings and comment lines blank, line for line.

    A body that is nothing but a docstring becomes `...`. Not for sources in which a line of some
    text begins with `#`: such a line is taken for a comment.
    """
    lines = ["" if line.lstrip().startswith("#") else line for line in source.splitlines()]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _Documented) and ast.get_docstring(node, clean=False) is not None:
            found = node.body[0]
            first, last = found.lineno - 1, found.end_lineno or found.lineno
            lines[first:last] = [""] * (last - first)
            if len(node.body) == 1 and not isinstance(node, ast.Module):
                lines[first] = " " * found.col_offset + "..."
    return "\n".join(lines) + "\n"
