"""Remove the parts of Python sources that only readers and type checkers need.

Every byte of a template counts. Patterns find these parts, because syntax trees would take a sixth
of a build's time, and the result of `ast.unparse` depends on the version of Python. The tests check
the result against syntax trees.
"""

import re
from collections.abc import Iterable

# Patterns that begin with a line feed are several times faster than patterns with `^`.
_COMMENT = re.compile(rb"^ *#.*|  # .*")
_MODULE_DOCSTRING = re.compile(rb'\A\n*""".*?"""\n', re.DOTALL)
_DOCSTRING = re.compile(rb':\n( *)""".*?"""\n(?=\n*( *))', re.DOTALL)
_FOR_TYPE_CHECKERS = re.compile(rb"\nif TYPE_CHECKING:\n(?: .*\n|\n)+")
_SIGNATURE = re.compile(
    rb"^( *)((?:async )?def .*?)(?=: \.\.\.\n|:\n\n?\1 )", re.MULTILINE | re.DOTALL
)
_BRACKETS = rb"\[(?:[^\[\]]|\[(?:[^\[\]]|\[(?:[^\[\]]|\[[^\[\]]*\])*\])*\])*\]"  # up to 4 levels
_PARAMETER = re.compile(
    rb"(?<=[(*, ])([^\s(*,:=]+): (?:[^\[\](),=\"]|\"[^\"]*\"|" + _BRACKETS + rb")+?(?= = |,|\)|\n)"
)
_RETURN = re.compile(rb"\) -> .*", re.DOTALL)
_IMPORT = re.compile(rb"\n(from (?!__future__)\S+ import )(?:\(([^)]*)\)|(.*))(?=\n)")
_INDENTATION = re.compile(rb"\n((?:    )+)")
# A line inside brackets is not a statement.
_VARIABLE = re.compile(rb"(?<![(\[{,]\n)^(\t*[\w.]+: )(?!\.\.\.)[^=\n]+?(?= = |$)", re.MULTILINE)
_OPENING, _CLOSING = (b"(", b"[", b"{"), (b")", b"]", b"}")
# The brackets in which a trailing comma does not make a tuple.
_CALL_LIST_OR_SET = re.compile(rb"(?:\w\(|(?<!\w)\[|\{)$")
_LONGEST = 244  # the maximum length of a joined line
_BLANK_LINES = re.compile(rb"\n(?: *\n)+(?=( *(?:async|def|class|@))?)")


def strip_docs(source: str) -> str:
    """Return a module's source without docstrings, comments and annotations.

    A variable's annotation becomes `...`, because a dataclass needs one for each field. The blocks
    `if TYPE_CHECKING`, imports for annotations and most blank lines are also removed; one blank
    line stays before each function and class. The result is indented with tabs, and most statements
    take only one line. Code that runs does not change; a body that is only a docstring becomes
    `...`. The source must be formatted by ruff, and its strings may not have a line feed, or a `#`
    after two spaces. The bytes do not depend on the version of Python.
    """
    lines = source.encode().split(b"\n")
    text = b"\n".join(_COMMENT.sub(b"", each) if b"#" in each else each for each in lines)
    text = _DOCSTRING.sub(_without_docstring, b"\n" + _MODULE_DOCSTRING.sub(b"", text, 1))
    text = _FOR_TYPE_CHECKERS.sub(b"\n", text)
    text = _BLANK_LINES.sub(lambda found: b"\n\n" if found[1] else b"\n", text)
    text = _SIGNATURE.sub(lambda found: found[1] + _without_annotations(found[2]), text)
    text = _INDENTATION.sub(lambda found: b"\n" + b"\t" * (len(found[1]) // 4), text)
    text = _VARIABLE.sub(rb"\1...", text)
    text = _without_unused_imports(text).lstrip(b"\n")
    return b"\n".join(_joined(text.split(b"\n"))).decode()


def _joined(lines: Iterable[bytes]) -> list[bytes]:
    """Join the lines of each pair of brackets into one line, unless it would be too long."""
    joined: list[bytes] = []
    opened: list[int] = []  # the positions of lines that end with an open bracket
    for line in lines:
        joined.append(line)
        if opened and line.lstrip()[:1] in _CLOSING:
            first, *others = joined[opened[-1] :]
            inside = b" ".join(each.strip() for each in others[:-1])
            if _CALL_LIST_OR_SET.search(first):
                inside = inside.removesuffix(b",")
            one = first + inside + line.lstrip()
            if len(one) <= _LONGEST:
                joined[opened[-1] :] = [one]
            opened.pop()
        if joined[-1][-1:] in _OPENING:
            opened.append(len(joined) - 1)
    return joined


def _without_unused_imports(text: bytes) -> bytes:
    used = set(re.findall(rb"\w+", _IMPORT.sub(b"", text)))

    def kept(found: re.Match[bytes]) -> bytes:
        names = [each.strip() for each in (found[2] or found[3]).split(b",") if each.strip()]
        if len(left := [each for each in names if each.split()[-1] in used]) == len(names):
            return found[0]
        return b"\n" + found[1] + b", ".join(left) if left else b""

    return _IMPORT.sub(kept, text)


def _without_docstring(found: re.Match[bytes]) -> bytes:
    indentation, next_indentation = found.groups()
    is_body = len(next_indentation) < len(indentation)
    return b":\n" + (indentation + b"...\n" if is_body else b"")


def _without_annotations(signature: bytes) -> bytes:
    text = _RETURN.sub(b")", _PARAMETER.sub(rb"\1", signature))
    if not text.endswith(b")"):
        raise ValueError(f"{signature!r} is more than a signature")
    one_line = re.sub(rb"\(\n *", b"(", text)
    return re.sub(rb"\n *", b" ", re.sub(rb",?\n *\)", b")", one_line))
