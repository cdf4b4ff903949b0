"""Find every reason for a failure that the handler can give, by reading the handler's source.

Each call that makes one of the handler's errors has a sentence that says what happened and one that
says what to do. Placeholders for values are in angle brackets. A function that has a parameter
`name`, and `fix` as its last parameter, raises the error for its callers.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HANDLER = ROOT / "handler" / "dt_logs_handler"
_PARENT = "HandlerError"

# The modules, in the order of the documented table, with the purpose of each.
STAGES = {
    "request": "Checking the parameters",
    "main": "Accepting the event",
    "refresh": "Refreshing on schedule",
    "aws": "Calling AWS",
    "place": "Deciding where a load balancer logs",
    "usable": "Checking the log bucket",
    "notifications": "Planning notifications, topics and subscriptions",
    "plan": "Planning",
    "register": "Editing the bucket's policy",
    "steps": "Changing buckets, topics and load balancers",
    "run": "Carrying out the plan and reading back",
    "apply": "Carrying out the plan and reading back",
    "observe": "Reading the account",
    "errors": "Finding a later event",
}


@dataclass(frozen=True)
class Failure:
    """A reason for a failure: the module that gives it, what happened, and what to do."""

    module: str
    what: str
    fix: str


@dataclass(frozen=True)
class _Scope:
    """A function that composes messages, and its module's constants as text."""

    function: ast.FunctionDef
    constants: Mapping[str, str]


def failures() -> list[Failure]:
    """Return every reason once, in the order of STAGES.

    Raises ValueError for a message that cannot be read, and KeyError if a module with
    reasons is not in STAGES.
    """
    errors = _kinds()
    found: dict[Failure, None] = {}
    for path in sorted(HANDLER.glob("*.py"), key=lambda each: _rank(each.stem)):
        kinds = errors | {"cls"} if path.stem == "errors" else errors
        functions = list(_functions(ast.parse(path.read_text("utf-8"))))
        constants = _constants(path.stem)
        makers = {each.name: each for each in functions if _takes_fix(each)}
        for function in functions:
            scope = _Scope(function, constants)
            for call in _calls(function) if function.name not in makers else ():
                if _is_made(call, kinds):
                    sentences = _sentences(call, scope)
                elif maker := makers.get(_called(call)):
                    sentences = _made_for(call, scope, maker)
                else:
                    continue
                for what, fix in sentences:
                    if not re.fullmatch("<[^<>]*>", what):  # a placeholder is another error's text
                        found[Failure(path.stem, what, fix)] = None
    unknown = {each.module for each in found} - STAGES.keys()
    if unknown:
        raise KeyError(f"STAGES does not have {', '.join(sorted(unknown))}")
    return list(found)


def table() -> str:
    """Return the reasons as Markdown, by stage."""
    parts: list[str] = []
    found = failures()
    for module, title in STAGES.items():
        rows = [each for each in found if each.module == module]
        if rows:
            if f"### {title}\n" not in parts:
                parts += [f"### {title}\n", "| Reason | What to do |\n| --- | --- |"]
            parts += [f"| {_cell(each.what)} | {_cell(each.fix)} |" for each in rows]
            parts.append("")
    return "\n".join(parts)


def _rank(module: str) -> int:
    return list(STAGES).index(module) if module in STAGES else len(STAGES)


def _kinds() -> frozenset[str]:
    """Return the names of the error classes that the handler's errors.py defines."""
    tree = ast.parse((HANDLER / "errors.py").read_text("utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.ClassDef))


def _constants(module: str) -> dict[str, str]:
    values = vars(import_module(f"dt_logs_handler.{module}"))
    return {
        name: f"{value:,}" if isinstance(value, int) else str(value)
        for name, value in values.items()
        if name.isupper() and isinstance(value, str | int)
    }


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    yield from (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))


def _calls(function: ast.FunctionDef) -> Iterator[ast.Call]:
    """Yield the calls in a function, except those in nested functions."""
    left: list[ast.AST] = list(function.body)
    while left:
        node = left.pop(0)
        if isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.Call):
            yield node
        left = [*ast.iter_child_nodes(node), *left]


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _is_made(call: ast.Call, kinds: frozenset[str]) -> bool:
    return _called(call) in kinds and len(call.args) >= 2


def _takes_fix(function: ast.FunctionDef) -> bool:
    """Return whether a function has a parameter `name`, and `fix` as its last parameter."""
    names = [each.arg for each in function.args.args]
    return names[-1:] == ["fix"] and "name" in names


def _made_for(call: ast.Call, scope: _Scope, maker: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Yield the reasons for refusing a property's value, with the property's name filled in."""
    position = [each.arg for each in maker.args.args].index("name")
    for name in _texts(call.args[position], scope):
        for fix in _texts(call.args[-1], scope):
            yield f"{name} <value> is not valid.", _whole(fix)


def _sentences(call: ast.Call, scope: _Scope) -> Iterator[tuple[str, str]]:
    for what in _texts(call.args[0], scope):
        for fix in _texts(call.args[1], scope):
            yield _whole(what), _whole(fix)


def _texts(node: ast.expr, scope: _Scope) -> list[str]:
    """Return every string to which an expression can evaluate, with placeholders for values."""
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(_part(each, scope) for each in parts)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [a + b for a in _texts(left, scope) for b in _texts(right, scope)]
        case ast.IfExp(body=yes, orelse=no):
            return [*_texts(yes, scope), *_texts(no, scope)]
        case ast.Name(id=name):
            given = [
                text for value in _values(name, scope.function) for text in _texts(value, scope)
            ]
            return given or [scope.constants.get(name, f"<{_plain(name)}>")]
    return [f"<{_plain(ast.unparse(node))}>"]


def _values(name: str, function: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yield the expressions that a function assigns to a name, directly or in a tuple."""
    given = (each for each in ast.walk(function) if isinstance(each, ast.Assign))
    for target, value in ((target, each.value) for each in given for target in each.targets):
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        yield from (v for n, v in pairs if isinstance(n, ast.Name) and n.id == name)


def _part(node: ast.expr, scope: _Scope) -> str:
    match node:
        case ast.FormattedValue(value=ast.Name(id=name)) if name in scope.constants:
            return scope.constants[name]
        case ast.Constant(value=str() as text):
            return text
        case ast.FormattedValue(value=value):
            return f"<{_plain(ast.unparse(value))}>"
    raise ValueError(f"line {node.lineno} has a text that cannot be read")


def _plain(code: str) -> str:
    """Return the placeholder for an expression: its last meaningful word."""
    words = [word for word in "".join(c if c.isalnum() else " " for c in code).split() if word]
    useful = [word for word in words if word not in _NOISE and not word.isdigit()]
    return (useful or words or ["…"])[-1]


_NOISE = frozenset(
    ("rstrip", "join", "sorted", "compact", "stack", "statement", "str", "short", "error", "names")
)


def _whole(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    for raw, escaped in (("\\", "\\\\"), ("|", "\\|"), ("*", "\\*"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(raw, escaped)
    return text
