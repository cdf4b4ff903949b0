"""The handler inside the template: its sources as text, in a few lines that import them.

`Code.ZipFile` takes text, and a template may have 51,200 bytes, so every byte counts. The sources
go as one bz2 stream: a fifth smaller than deflate, and the same bytes wherever it is made, which
those of deflate are not. A zip around them would add a tenth of what is left for the template.
In base85 they take 6 % less than in base64; its `$` becomes a comma, since `${` is where tools
that know templates, CloudFormation among them, look for something to fill in. Comments and
docstrings stay behind, in the repository: they would be a quarter of it.
"""

import base64
import bz2
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template.strip_docs import undocumented

PACKAGE = "dt_logs_handler"

# Read by the generator alone, so that Lambda need not have it.
_NOT_SHIPPED = frozenset({"grants.py"})

_BOOTSTRAP = """\
# The function's Python sources are in here, compressed with bz2, in base85. To read them:
# python -m dt_logs_cfn verify --extract DIR TEMPLATE
import base64
import bz2
import gc
import json
import pathlib
import sys
import tempfile

SOURCES = "{}"

folder = pathlib.Path(tempfile.mkdtemp())
(folder / "dt_logs_handler").mkdir()
unpacked = bz2.decompress(base64.b85decode(SOURCES.replace(",", "$")))
for name, source in json.loads(unpacked).items():
    (folder / name).write_text(source, "utf-8")
sys.path.insert(0, str(folder))

gc.disable()  # nothing is garbage before there are clients
from dt_logs_handler.main import handler
"""
_BEFORE, _AFTER = _BOOTSTRAP.split("{}")

# Far more than a template can hold, and little enough to be unpacked without harm.
_LARGEST = 4 * 1024 * 1024
_NAME = re.compile(rf"{PACKAGE}/[a-z0-9_]{{1,64}}\.py")
_FIX = "Take the template from a release of this project."


@cache
def handler_files() -> Mapping[str, bytes]:
    """Return the sources that Lambda gets, by their names in the zip, sorted.

    They are the repository's without their documentation, line for line.
    """
    found = {
        f"{PACKAGE}/{entry.name}": undocumented(entry.read_text("utf-8")).encode()
        for entry in files(PACKAGE).iterdir()
        if entry.name.endswith(".py") and entry.name not in _NOT_SHIPPED
    }
    return dict(sorted(found.items()))


@cache
def handler_zip() -> bytes:
    """Return the handler as a zip for people to read; the same bytes wherever it is made."""
    return _pack(handler_files())


@cache
def handler_sha256() -> str:
    """Return the SHA-256 of the zip, by which a stack tells which handler it runs."""
    return hashlib.sha256(handler_zip()).hexdigest()


@cache
def bootstrap(archive: bytes) -> str:
    """Return the function's code, a module `index` with a function `handler`, for a zip.

    Raises VerifyError if the zip is not one of `handler_zip`.
    """
    sources = {name: content.decode() for name, content in unpack(archive).items()}
    packed = base64.b85encode(bz2.compress(json.dumps(sources).encode())).decode()
    return f"{_BEFORE}{packed.replace('$', ',')}{_AFTER}"


def extract(code: str) -> bytes:
    """Return the sources in a function's code, as the zip that they were published in.

    The code may come from anywhere: it is compared with the bootstrap, never run, and unpacked to
    a few megabytes at most. Raises VerifyError.
    """
    payload = code[len(_BEFORE) : len(code) - len(_AFTER)]
    if len(code) > _LARGEST or code != f"{_BEFORE}{payload}{_AFTER}":
        raise VerifyError("The function's code is not the bootstrap of a release.", _FIX)
    unpacker = bz2.BZ2Decompressor()
    try:
        text = unpacker.decompress(base64.b85decode(payload.replace(",", "$")), _LARGEST)
        sources = json.loads(text) if unpacker.eof and not unpacker.unused_data else None
    except (ValueError, OSError, EOFError, RecursionError) as error:
        raise VerifyError("The handler in the function's code is damaged.", _FIX) from error
    if not isinstance(sources, dict) or not all(isinstance(each, str) for each in sources.values()):
        raise VerifyError("The handler in the function's code is cut off or too large.", _FIX)
    _check_names(sources)
    try:
        return _pack({name: source.encode() for name, source in sources.items()})
    except UnicodeEncodeError as error:
        raise VerifyError("The handler in the function's code is no text.", _FIX) from error


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return the sources in a zip that may come from anywhere.

    Accepts only what `handler_zip` could have made, byte for byte: no other paths, nothing
    compressed, nothing hidden between the entries. Raises VerifyError.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = opened.infolist()
            _check_names([entry.filename for entry in entries])
            # The entries of a zip bomb lie on top of each other, or are compressed.
            if sum(entry.file_size for entry in entries) > len(archive):
                raise VerifyError("The handler's zip unpacks to more than it holds.", _FIX)
            found = {entry.filename: opened.read(entry) for entry in entries}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise VerifyError(f"The handler is no sound zip: {error}.", _FIX) from error
    if _pack(found) != archive:
        raise VerifyError("The handler's zip holds more than its sources.", _FIX)
    return found


def content_digest(sources: Mapping[str, bytes]) -> str:
    """Return a SHA-256 over names and contents, whatever they are kept in."""
    lines = (
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(sources.items())
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _pack(sources: Mapping[str, bytes]) -> bytes:
    """Zip with nothing in it that a machine, a day or a zlib could change."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as opened:
        for name, content in sorted(sources.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix
            entry.external_attr = 0o100644 << 16
            opened.writestr(entry, content)
    return archive.getvalue()


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise VerifyError(f"The handler has a file {name[:80]!r}.", _FIX)
