"""The handler inside the template: its sources as a zip, and the zip as text.

`Code.ZipFile` takes text. So it holds a few lines of Python that unpack a zip and import the
handler from it, where tracebacks still show the source. The zip is only stored, and compressed as
a whole: bz2 has one form, while the bytes of deflate depend on the zlib that made them, and the
sources gain a third by it.
"""

import base64
import bz2
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from dt_logs_cfn.errors import VerifyError

PACKAGE = "dt_logs_handler"

_BOOTSTRAP = """\
# The handler is in here as a zip of its Python sources, compressed with bz2, in base64. To read it:
# python -m dt_logs_cfn verify --extract DIR TEMPLATE
import base64
import bz2
import os
import sys
import tempfile

archive = os.path.join(tempfile.mkdtemp(), "handler.zip")
with open(archive, "xb") as file:
    file.write(bz2.decompress(base64.b64decode("{}")))
sys.path.insert(0, archive)

from dt_logs_handler.main import handler
"""
_BEFORE, _AFTER = _BOOTSTRAP.split("{}")

# CloudFormation takes 1 MB of template at most; sources grow less than this when unpacked.
_LARGEST = 4 * 1024 * 1024
_NAME = re.compile(rf"{PACKAGE}/(?:[a-z0-9_]+/)*[a-z0-9_]+\.py")
_FIX = "Take the template from a release of this project."


@cache
def handler_files() -> Mapping[str, bytes]:
    """Return the handler's sources by their names in the zip, sorted.

    `py.typed` stays out: it tells type checkers about an installed package, not Lambda.
    """
    return dict(sorted(_sources(files(PACKAGE), PACKAGE)))


@cache
def handler_zip() -> bytes:
    """Return the handler as Lambda imports it; the same bytes wherever it is built."""
    return _pack(handler_files())


def handler_sha256() -> str:
    """Return the SHA-256 of the zip, by which a stack tells which handler it runs."""
    return hashlib.sha256(handler_zip()).hexdigest()


@cache
def bootstrap(archive: bytes) -> str:
    """Return the function's code, a module `index` with a function `handler`, for a zip."""
    return f"{_BEFORE}{base64.b64encode(bz2.compress(archive)).decode()}{_AFTER}"


def extract(code: str) -> bytes:
    """Return the zip that is in a function's code.

    The code may come from anywhere: it is compared with the bootstrap, never run, and unpacked to
    no more than a few megabytes. Raises VerifyError.
    """
    payload = code[len(_BEFORE) : len(code) - len(_AFTER)]
    if len(code) > _LARGEST or code != f"{_BEFORE}{payload}{_AFTER}":
        raise VerifyError("The function's code is not the bootstrap of a release.", _FIX)
    unpacker = bz2.BZ2Decompressor()
    try:
        archive = unpacker.decompress(base64.b64decode(payload, validate=True), _LARGEST)
    except (ValueError, OSError) as error:
        raise VerifyError("The handler in the function's code is damaged.", _FIX) from error
    if not unpacker.eof or unpacker.unused_data:
        raise VerifyError("The handler in the function's code is cut off or too large.", _FIX)
    return archive


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return the sources in a zip that `extract` returned.

    Accepts only what `handler_zip` could have made, byte for byte: no other paths, nothing
    compressed, nothing hidden between the entries. Raises VerifyError.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            found = {entry.filename: opened.read(entry) for entry in _checked(opened)}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise VerifyError(f"The handler is no sound zip: {error}.", _FIX) from error
    if _pack(found) != archive:
        raise VerifyError("The handler's zip holds more than its sources.", _FIX)
    return found


def content_digest(sources: Mapping[str, bytes]) -> str:
    """Return a SHA-256 over names and contents, whatever holds them."""
    lines = (
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(sources.items())
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _sources(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _sources(entry, name)
        elif entry.name.endswith(".py"):
            yield name, entry.read_bytes()


def _pack(sources: Mapping[str, bytes]) -> bytes:
    """Zip with nothing in it that a machine or a day could change."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as opened:
        for name, content in sorted(sources.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            # Lambda reads the code as another user than the one who owns it.
            entry.external_attr = 0o100644 << 16
            opened.writestr(entry, content)
    return archive.getvalue()


def _checked(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    for entry in entries:
        if not _NAME.fullmatch(entry.filename):
            raise VerifyError(f"The handler's zip has an entry {entry.filename[:80]!r}.", _FIX)
        if entry.compress_type != zipfile.ZIP_STORED:
            raise VerifyError(f"The entry {entry.filename[:80]!r} is compressed.", _FIX)
    if sum(entry.file_size for entry in entries) > _LARGEST:
        raise VerifyError("The handler's zip has entries on top of each other.", _FIX)
    return entries
