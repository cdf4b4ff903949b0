"""The handler, and nothing else, is embedded in the template and extracted from it."""

import base64
import bz2
import hashlib
import io
import json
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
from dt_logs_cfn.template.embedding import _pack as pack
from dt_logs_cfn.template.embedding import bootstrap, extract, handler_files, handler_zip, unpack
from dt_logs_cfn.template.strip_docs import strip_docs

FOLDER = Path(dt_logs_handler.__file__).parent
CODE = bootstrap(handler_zip())
START, END = CODE.index('ZIP = "') + len('ZIP = "'), CODE.index('"\n\npath')
SITE = Path(boto3.__file__).parents[1]
NAME = "dt_logs_handler/main.py"

# A zlib that compresses to different bytes, as zlib-ng does.
OTHER_ZLIB = """
import sys, types, zlib as real
class Padded:
    def __init__(self, inner): self.inner = inner
    def compress(self, data): return b"\\0other" + self.inner.compress(data)
    def flush(self, *mode): return self.inner.flush(*mode)
other = types.ModuleType("zlib")
for name in dir(real):
    setattr(other, name, getattr(real, name))
other.compress = lambda data, *rest, **more: b"\\0other" + real.compress(data, *rest, **more)
other.compressobj = lambda *rest, **more: Padded(real.compressobj(*rest, **more))
sys.modules["zlib"] = other
"""


def run(source: str, *flags: str, cwd: Path | None = None) -> str:
    command = [sys.executable, *flags, "-"]
    return subprocess.run(
        command, input=source, stdout=subprocess.PIPE, text=True, check=True, cwd=cwd
    ).stdout


def code_of(payload: bytes) -> str:
    packed = base64.b85encode(payload).decode().replace("$", ",")
    return f"{CODE[:START]}{packed}{CODE[END:]}"


def zip_of(*entries: tuple[zipfile.ZipInfo | str, str], **more: int) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", **more) as opened:
        for name, text in entries:
            opened.writestr(name, text)
    return archive.getvalue()


def test_lambda_gets_the_sources_that_it_needs() -> None:
    sources = {f"dt_logs_handler/{path.name}" for path in FOLDER.glob("*.py")}

    assert sorted(sources) == list(handler_files())
    assert strip_docs((FOLDER / "main.py").read_text("utf-8")).encode() == handler_files()[NAME]
    assert not [path for path in FOLDER.rglob("*.py") if path.parent != FOLDER]


def test_the_zip_has_no_trace_of_a_machine_or_a_day() -> None:
    with zipfile.ZipFile(io.BytesIO(handler_zip())) as opened:
        entries = opened.infolist()

    assert [entry.filename for entry in entries] == sorted(handler_files())
    assert {
        (each.date_time, each.compress_type, each.create_system, each.external_attr, each.extra)
        for each in entries
    } == {((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3, 0o100644 << 16, b"")}


def test_another_zlib_gives_the_same_bytes() -> None:
    digest = (
        "import hashlib\n"
        "from dt_logs_cfn.template.embedding import bootstrap, handler_zip\n"
        "print(hashlib.sha256(handler_zip() + bootstrap(handler_zip()).encode()).hexdigest())\n"
    )
    differs = "import zlib\nprint(zlib.compress(b'x').hex())\n"

    assert run(differs) != run(OTHER_ZLIB + differs)
    assert run(digest) == run(OTHER_ZLIB + digest)


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

    handler, *printed = run(source, "-I", "-S").splitlines()

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

    run("\n".join(lines), "-I", "-S", cwd=tmp_path)

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


@STEADY
@given(st.integers(START, END - 1), st.sampled_from('0zA"\\ \né{'))
def test_a_changed_character_is_refused_or_changes_no_source(place: int, other: str) -> None:
    code = CODE[:place] + other + CODE[place + 1 :]
    try:
        archive = extract(code)
    except VerifyError:
        return
    assert handler_zip() == archive


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"no bz2",
        bz2.compress(handler_zip())[:-4],
        bz2.compress(handler_zip()) + b"more",
        bz2.compress(b" " * 50_000_000),
    ],
)
def test_a_payload_that_we_did_not_make_is_refused(payload: bytes) -> None:
    with pytest.raises(VerifyError):
        extract(code_of(payload))


def test_a_zip_in_the_code_is_extracted_whatever_it_holds() -> None:
    assert extract(code_of(bz2.compress(b"PK"))) == b"PK"


def bomb() -> bytes:
    """Return a zip whose second directory entry points to the first one's content."""
    archive = bytearray(zip_of((NAME, "x" * 1000), ("dt_logs_handler/a.py", "x" * 1000)))
    entry = archive.rindex(b"PK\1\2")
    archive[entry + 42 : entry + 46] = struct.pack("<I", 0)
    return bytes(archive)


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"PK\5\6",
        handler_zip()[:-1],
        handler_zip() + b"\0",
        b"#!/bin/sh\n" + handler_zip(),
        zip_of(("../../x.py", "x")),
        zip_of(("/etc/x.py", "x")),
        zip_of(("dt_logs_handler/", "")),
        zip_of((NAME, "x" * 100_000), compression=zipfile.ZIP_DEFLATED),
        zip_of(("dt_logs_handler/main.pyc", "x")),
        zip_of(("dt_logs_handler/a/../b.py", "x")),
        zip_of((NAME, "x")),
        pack({NAME: b"\xff"}),
        bomb(),
    ],
)
def test_a_zip_that_we_did_not_make_is_refused(archive: bytes) -> None:
    with pytest.raises(VerifyError) as refused:
        unpack(archive)

    assert str(refused.value).startswith("The handler")
    assert len(str(refused.value)) < 300


SMALL = pack({NAME: b"x = 1\n", "dt_logs_handler/a.py": b""})
DEFLATED = zip_of((NAME, "import os\n" * 9), compression=zipfile.ZIP_DEFLATED)


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
