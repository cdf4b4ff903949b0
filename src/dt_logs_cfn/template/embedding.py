"""Embed handler.zip in a template: as text, in a few lines of Python that import the handler.

`Code.ZipFile` takes text, and a template may have at most 51,200 bytes, so every byte counts. The
zip's members are not compressed, and the whole zip is one bz2 stream, because the sources have much
text in common. The output of bz2, unlike that of deflate, does not depend on how Python was built.
Base85 takes 6 % fewer bytes than base64. Its `$` becomes a comma, because CloudFormation and other
tools substitute `${`.

The sources are embedded without the parts that only readers and type checkers need. Patterns find
these parts, because syntax trees would take a sixth of a build's time, and the result of
`ast.unparse` depends on the version of Python. The tests check the result against syntax trees.
"""

import base64
import bz2
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import dt_logs_handler
from dt_logs_cfn.errors import VerifyError

PACKAGE = "dt_logs_handler"

_BOOTSTRAP = """\
# The release's handler.zip, in bz2 and base85. These lines of Python get it out of a template:
#   import base64, bz2
#   text = max(open("dt-logs-analysis.template.json").read().split('"'), key=len)[:-1]
#   open("handler.zip", "wb").write(bz2.decompress(base64.b85decode(text.replace(",", "$"))))
import base64
import bz2
import gc
import sys
import tempfile

HANDLER_ZIP = "{}"

path = tempfile.mkdtemp() + "/handler.zip"
with open(path, "wb") as file:
    file.write(bz2.decompress(base64.b85decode(HANDLER_ZIP.replace(",", "$"))))
sys.path.insert(0, path)

gc.disable()  # until there are clients
from dt_logs_handler.main import handler
"""
_BEFORE, _AFTER = _BOOTSTRAP.split("{}")

# Much larger than any handler in a template, but small enough to unpack safely.
_LARGEST = 4 * 1024 * 1024
_NAME = re.compile(rf"{PACKAGE}/[a-z0-9_]{{1,64}}\.py")
_FIX = "Take the template from a release of this project."

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
# An annotated variable; a line inside brackets is not a statement.
_VARIABLE = re.compile(rb"(?<![(\[{,]\n)^(\t*[\w.]+: )(?!\.\.\.)[^=\n]+?(?= = |$)", re.MULTILINE)
_OPENING, _CLOSING = (b"(", b"[", b"{"), (b")", b"]", b"}")
# The brackets in which a trailing comma does not make a tuple.
_CALL_LIST_OR_SET = re.compile(rb"(?:\w\(|(?<!\w)\[|\{)$")
_LONGEST = 244  # the maximum length of a joined line
_BLANK_LINES = re.compile(rb"\n(?: *\n)+(?=( *(?:async|def|class|@))?)")


@cache
def handler_files() -> Mapping[str, bytes]:
    """Return the names and the contents of the sources in the zip, sorted by name.

    They are the repository's sources after `strip_docs`.
    """
    found = {
        f"{PACKAGE}/{entry.name}": strip_docs(entry.read_text("utf-8")).encode()
        for entry in Path(dt_logs_handler.__file__).parent.glob("*.py")
    }
    return dict(sorted(found.items()))


@cache
def handler_zip() -> bytes:
    """Return the zip that Lambda imports, with the same bytes on every machine.

    >>> import io, zipfile
    >>> "dt_logs_handler/main.py" in zipfile.ZipFile(io.BytesIO(handler_zip())).namelist()
    True
    """
    return _pack(handler_files())


@cache
def handler_sha256() -> str:
    """Return the SHA-256 of `handler_zip`; a stack outputs it to identify its handler."""
    return hashlib.sha256(handler_zip()).hexdigest()


@cache
def bootstrap(archive: bytes) -> str:
    """Return the code that embeds a zip: a module `index` that has the function `handler`."""
    packed = base64.b85encode(bz2.compress(archive)).decode()
    return f"{_BEFORE}{packed.replace('$', ',')}{_AFTER}"


def extract(code: str) -> bytes:
    """Return the zip from a function's untrusted code; `unpack` checks the zip.

    The code is compared with the bootstrap and never run. At most a few megabytes are decompressed.
    Raises VerifyError.
    """
    payload = code[len(_BEFORE) : len(code) - len(_AFTER)]
    if len(code) > _LARGEST or code != f"{_BEFORE}{payload}{_AFTER}":
        raise VerifyError("The function's code is not the bootstrap of a release.", _FIX)
    unpacker = bz2.BZ2Decompressor()
    try:
        archive = unpacker.decompress(base64.b85decode(payload.replace(",", "$")), _LARGEST)
    except (ValueError, OSError) as error:
        raise VerifyError("The handler in the function's code is damaged.", _FIX) from error
    if not unpacker.eof or unpacker.unused_data:
        raise VerifyError("The handler in the function's code is cut off or too large.", _FIX)
    return archive


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return the sources in an untrusted zip.

    Accepts only a zip that `handler_zip` could have made, byte for byte: only text under our
    paths, not compressed, and without hidden bytes between the entries. Raises VerifyError.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = opened.infolist()
            for entry in entries:
                if not _NAME.fullmatch(entry.filename):
                    raise VerifyError(f"The handler has a file {entry.filename[:80]!r}.", _FIX)
            # The entries of a zip bomb are compressed or overlap.
            compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            if compressed or sum(entry.file_size for entry in entries) > len(archive):
                raise VerifyError("The handler's zip unpacks to more than it holds.", _FIX)
            found = {entry.filename: opened.read(entry) for entry in entries}
        for content in found.values():
            content.decode()
    # ValueError: an impossible offset or size, or content that is not UTF-8.
    except (zipfile.BadZipFile, EOFError, RuntimeError, OSError, ValueError) as error:
        raise VerifyError("The handler's zip is damaged.", _FIX) from error
    if _pack(found) != archive:
        raise VerifyError("The handler's zip holds more than its sources.", _FIX)
    return found


def _pack(sources: Mapping[str, bytes]) -> bytes:
    """Make a zip that does not depend on the machine, the date or the zlib version."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as opened:
        for name, content in sorted(sources.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix
            entry.external_attr = 0o100644 << 16
            opened.writestr(entry, content)
    return archive.getvalue()


def strip_docs(source: str) -> str:
    """Return a module's source without docstrings, comments and annotations.

    A variable's annotation becomes `...`, because a dataclass needs one for each field. The blocks
    `if TYPE_CHECKING`, imports for annotations and blank lines are also removed, except one blank
    line before each function and class. The result is indented with tabs, and most statements
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
    """Join all lines between a pair of brackets into one line, unless it would be too long."""
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
