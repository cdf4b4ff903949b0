"""Compare the code of a function as text; it is never run."""

import difflib
import os
from collections.abc import Mapping

from dt_logs_cfn.diff.change import Change, Level
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template import embedding
from dt_logs_handler.documents import Json

# Our handler has fewer than 4,000 lines; comparing is slower than linear.
_MOST_LINES = 20_000


def compare_code(name: str, old: Json, new: Json) -> list[Change]:
    """Return the changes of the property `Code` of the function with a name."""
    try:
        return _files(name, _sources(old), _sources(new))
    except VerifyError as error:
        what = f"{name}: the code changes, and cannot be compared: {error.what}"
        return [Change(Level.MAJOR, "handler", what)]


def _sources(code: Json) -> dict[str, str]:
    match code:
        case {"ZipFile": str(text), **rest} if not rest:
            packed = embedding.unpack(embedding.extract(text))
            return {name: content.decode() for name, content in packed.items()}
    raise VerifyError("The function's code is not in the template.", "Take it from a release.")


def _files(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    files = [each for each in sorted(old.keys() | new.keys()) if old.get(each) != new.get(each)]
    if sum(each.get(file, "").count("\n") for file in files for each in (old, new)) > _MOST_LINES:
        raise VerifyError("It has too many lines.", "Extract both with `verify`, and compare.")
    if not files:
        return [Change(Level.PATCH, "handler", f"{name}: the same sources, packed differently")]
    found = []
    for file in files:
        how = "is new" if file not in old else "is gone" if file not in new else "changes"
        diff = _diff(file, old.get(file), new.get(file))
        found.append(Change(Level.PATCH, "handler", f"{name}: {file} {how}", file, diff))
    return found


def _diff(name: str, old: str | None, new: str | None) -> str:
    # Only a line feed ends a line; other characters at which Python splits stay visible.
    before, after = (each.removesuffix("\n").split("\n") if each else [] for each in (old, new))
    was = os.devnull if old is None else f"old/{name}"
    now = os.devnull if new is None else f"new/{name}"
    return "\n".join(difflib.unified_diff(before, after, was, now, lineterm=""))
