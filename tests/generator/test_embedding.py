"""The handler, and nothing else, is embedded in the template and extracted from it.

The embedded sources lack the parts that only readers need, but run in the same way.
"""

import ast
import base64
import bz2
import hashlib
import io
import json
import os
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.strategies import STEADY

import dt_logs_handler
from dt_logs_cfn import Settings, build_release
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.release.build import STACK_TEMPLATES
from dt_logs_cfn.template.embedding import _AFTER as AFTER
from dt_logs_cfn.template.embedding import _BEFORE as BEFORE
from dt_logs_cfn.template.embedding import _pack as pack
from dt_logs_cfn.template.embedding import (
    bootstrap,
    extract,
    handler_files,
    handler_zip,
    strip_docs,
    unpack,
)

HANDLER = sorted(Path(dt_logs_handler.__file__).parent.rglob("*.py"))
CODE = bootstrap(handler_zip())
SITE = Path(boto3.__file__).parents[1]
NAME = "dt_logs_handler/main.py"


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


@pytest.mark.parametrize("path", HANDLER, ids=lambda each: each.name)
def test_each_module_of_the_handler_means_the_same_with_nothing_left_to_cut(path: Path) -> None:
    text = path.read_text("utf-8")
    once = strip_docs(text)

    assert ast.dump(ast.parse(once)) == expected(text)
    assert strip_docs(once.expandtabs(4)) == once
    assert handler_files()[f"dt_logs_handler/{path.name}"] == once.encode()
    assert [*handler_files()] == [f"dt_logs_handler/{each.name}" for each in HANDLER]


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


def run(source: str, cwd: Path | None = None) -> str:
    """Run code in Python without the installed packages, and return what it prints."""
    command = [sys.executable, "-I", "-S", "-"]
    return subprocess.run(
        command, input=source, stdout=subprocess.PIPE, text=True, check=True, cwd=cwd
    ).stdout


def test_the_code_runs_with_nothing_but_boto3_and_shows_its_source_in_a_traceback() -> None:
    names = [name.removesuffix(".py").replace("/", ".") for name in handler_files()]
    source = (
        f"import sys\nsys.path.append({str(SITE)!r})\n"
        f"exec(compile({CODE!r}, 'index.py', 'exec'))\n"
        "import importlib, traceback\n"
        "print(handler.__module__, handler.__name__)\n"
        f"for name in {names!r}:\n    print(importlib.import_module(name).__file__)\n"
        "from dt_logs_handler.request import parse\n"
        "try:\n    parse({}, 0.0)\n"
        "except Exception:\n    print(traceback.format_exc())\n"
    )

    handler, *printed = run(source).splitlines()

    assert handler == "dt_logs_handler.main handler"
    for name, place in zip(handler_files(), printed, strict=False):
        assert place.endswith(f"handler.zip/{name}")
    assert any('handler.zip/dt_logs_handler/request.py", line ' in line for line in printed)
    assert any("raise _invalid(" in line for line in printed)


def test_its_comment_gets_the_zip_out_of_a_template(tmp_path: Path) -> None:
    files = build_release(Settings()).files
    name = "dt-logs-analysis.template.json"
    (tmp_path / name).write_bytes(files[name])
    lines = [line[4:] for line in CODE.splitlines() if line.startswith("#   ")]

    run("\n".join(lines), tmp_path)

    assert lines[0].startswith("import ")
    assert (tmp_path / "handler.zip").read_bytes() == files["handler.zip"] == handler_zip()
    invocation = json.loads(files[name])["Resources"]["InvokeLambdaFunction"]
    digest = hashlib.sha256(handler_zip()).hexdigest()
    assert invocation["Properties"]["HandlerSha256"] == digest


def test_the_code_has_nothing_that_templates_fill_in() -> None:
    assert "${" not in CODE
    assert "{{resolve:" not in CODE
    assert CODE.isascii()
    assert len(CODE.splitlines()) < 30


@STEADY
@given(
    st.dictionaries(
        st.from_regex(r"dt_logs_handler/[a-z_]{1,8}\.py", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"])).map(str.encode),
        max_size=4,
    )
)
def test_any_sources_come_out_as_they_went_in(sources: dict[str, bytes]) -> None:
    archive = pack(sources)

    assert archive == extract(bootstrap(archive))
    assert dict(sorted(sources.items())) == unpack(archive)


@STEADY
@given(st.text() | st.integers(0, len(CODE) - 1).map(lambda length: CODE[:length]))
@example(CODE + "\nimport os\n")
@example("import os\n" + CODE)
@example(CODE.replace("import handler", "import handler, __doc__"))
@example(CODE.replace("\n", "\r\n"))
def test_other_code_is_refused(code: str) -> None:
    with pytest.raises(VerifyError, match="not the bootstrap"):
        extract(code)


def code_of(payload: bytes) -> str:
    return f"{BEFORE}{base64.b85encode(payload).decode().replace('$', ',')}{AFTER}"


def zip_of(name: str, text: str = "x", **more: int) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", **more) as opened:
        opened.writestr(name, text)
    return archive.getvalue()


def bomb() -> bytes:
    """Return a zip whose second directory entry points to the first one's content."""
    archive = bytearray(pack({NAME: b"x" * 1000, "dt_logs_handler/a.py": b"x" * 1000}))
    entry = archive.rindex(b"PK\1\2")
    archive[entry + 42 : entry + 46] = struct.pack("<I", 0)
    return bytes(archive)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"no bz2",
        bz2.compress(handler_zip())[:-4],
        bz2.compress(handler_zip()) + b"more",
        bz2.compress(b" " * 50_000_000),
        *map(
            bz2.compress,
            (
                b"",
                b"PK\5\6",
                handler_zip()[:-1],
                handler_zip() + b"\0",
                b"#!/bin/sh\n" + handler_zip(),
                zip_of("../../x.py"),
                zip_of("/etc/x.py"),
                zip_of("dt_logs_handler/", ""),
                zip_of("dt_logs_handler/main.pyc"),
                zip_of("dt_logs_handler/a/../b.py"),
                zip_of(NAME),
                zip_of(NAME, "x" * 100_000, compression=zipfile.ZIP_DEFLATED),
                pack({NAME: b"\xff"}),
                bomb(),
            ),
        ),
    ],
)
def test_a_handler_that_we_did_not_make_is_refused(payload: bytes) -> None:
    with pytest.raises(VerifyError) as refused:
        unpack(extract(code_of(payload)))

    assert str(refused.value).startswith("The handler")
    assert len(str(refused.value)) < 300


@STEADY
@given(st.integers(len(BEFORE), len(CODE) - len(AFTER) - 1), st.sampled_from('0zA"\\ \né{'))
def test_a_changed_character_is_refused_or_changes_no_source(place: int, other: str) -> None:
    code = CODE[:place] + other + CODE[place + 1 :]
    try:
        archive = extract(code)
    except VerifyError:
        return
    assert handler_zip() == archive


SMALL = pack({NAME: b"x = 1\n", "dt_logs_handler/a.py": b""})
DEFLATED = zip_of(NAME, "import os\n" * 9, compression=zipfile.ZIP_DEFLATED)


@STEADY
@given(
    st.sampled_from([SMALL, DEFLATED]),
    st.dictionaries(st.integers(0, 200), st.integers(0, 255), min_size=1, max_size=6),
)
def test_a_zip_with_changed_bytes_is_refused(archive: bytes, changes: dict[int, int]) -> None:
    changed = bytearray(archive)
    for place, byte in changes.items():
        changed[place % len(archive)] = byte
    if changed == SMALL:
        return
    with pytest.raises(VerifyError):
        unpack(bytes(changed))


# What the released code loads: tests/rehearsal runs it for a stack's whole life.

# boto3's packages in a Lambda runtime; the function's process may load only these.
BOTO3 = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
OPTIONAL = ("backports", "certifi")  # boto3's packages load these if installed
DRIVER = """
import json, sys
sys.path[:0] = sys.argv[1:]
import index

index.handler({}, None)  # an event without an answer URL
assert ".zip" in sys.modules["dt_logs_handler"].__file__
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize("name", sorted(STACK_TEMPLATES.values()))
def test_released_code_loads_the_standard_library_and_boto3_alone(
    name: str, tmp_path: Path
) -> None:
    template = json.loads(build_release(Settings()).files[name])
    properties = template["Resources"]["DTLogsAnalysisLambdaFunction"]["Properties"]
    assert properties["Handler"] == "index.handler"
    (tmp_path / "index.py").write_text(properties["Code"]["ZipFile"], encoding="utf-8")
    installed = Path(boto3.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", DRIVER, str(tmp_path), str(installed)],
        env={"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    mains = {"__main__", "__mp_main__", "index"}
    assert loaded - set(sys.stdlib_module_names) - {*BOTO3, *OPTIONAL} - mains == {
        "dt_logs_handler"
    }


def test_modules_import_nothing_that_lambda_lacks() -> None:
    """This also finds the imports inside functions. Only type checkers import mypy_boto3."""
    for each in HANDLER:
        for node in ast.walk(ast.parse(each.read_text(encoding="utf-8"), each.name)):
            match node:
                case ast.Import():
                    found = {name.name.partition(".")[0] for name in node.names}
                case ast.ImportFrom(level=0, module=str(module)):
                    found = {re.sub("^mypy_boto3_.*", "typing", module.partition(".")[0])}
                case _:
                    continue
            assert found <= {"boto3", "botocore", *sys.stdlib_module_names}, each.name
