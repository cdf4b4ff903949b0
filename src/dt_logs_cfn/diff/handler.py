"""What changes in the code that a template brings: read and compared as text, never run."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping

from dt_logs_cfn.diff.change import Change, Level
from dt_logs_cfn.diff.patterns import exact
from dt_logs_cfn.diff.resources import FUNCTION
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template import embedding
from dt_logs_handler.documents import Json

_MOST_FUNCTIONS = 8

# Ours has fewer than 4,000; comparing takes longer than linearly.
_MOST_LINES = 20_000

# Only a line feed ends a line: what else Python splits at stays to be seen.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def compare_handlers(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Change]:
    """Yield what changes in the code of the functions that both `Resources` have."""
    for name, before, after in _changed(old, new):
        try:
            files = _files(before, after)
            for file, (former, latter) in files.items():
                how = "is new" if former is None else "is gone" if latter is None else "changes"
                yield Change(Level.PATCH, "handler", f"{name}: {file} {how}")
            if not files:
                yield Change(Level.PATCH, "handler", f"{name}: the same sources, packed otherwise")
        except VerifyError as error:
            what = f"{name}: the code changes, and cannot be compared: {error.what}"
            yield Change(Level.MAJOR, "handler", what)


def source_diffs(old: Mapping[str, Json], new: Mapping[str, Json]) -> dict[str, str]:
    """Return a unified diff of each source of the functions that both `Resources` have.

    Of code that cannot be read there is none; `compare_handlers` says so. The texts are untrusted.
    """
    found = {}
    for name, before, after in _changed(old, new):
        try:
            for file, (former, latter) in _files(before, after).items():
                place = file if file not in found else f"{name}/{file}"
                found[place] = _diff(place, former, latter)
        except VerifyError:
            continue
    return found


def _changed(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[tuple[str, Json, Json]]:
    pairs = ((name, _code(old[name]), _code(new[name])) for name in sorted(old.keys() & new.keys()))
    found = [each for each in pairs if exact(each[1]) != exact(each[2])]
    if len(found) > _MOST_FUNCTIONS:
        raise VerifyError(
            "The template has more functions than can be compared.",
            "Read their code yourself; no release has so many.",
        )
    yield from found


def _code(resource: Json) -> Json:
    match resource:
        case {"Type": str(kind), "Properties": {"Code": code}} if kind == FUNCTION:
            return code
    return None


def _files(before: Json, after: Json) -> dict[str, tuple[str | None, str | None]]:
    """Return the sources that differ, as they were and as they are. Raises VerifyError."""
    old, new = _sources(before), _sources(after)
    changed = {
        name: (old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }
    texts = [text for pair in changed.values() for text in pair if text]
    if sum(text.count("\n") for text in texts) > _MOST_LINES:
        raise VerifyError("It has too many lines.", "Extract both with `verify`, and compare.")
    return changed


def _sources(code: Json) -> dict[str, str]:
    match code:
        case {"ZipFile": str(text), **rest} if not rest:
            packed = embedding.unpack(embedding.extract(text))
            return {name: content.decode() for name, content in packed.items()}
    raise VerifyError("The function's code is not in the template.", "Take it from a release.")


def _diff(name: str, old: str | None, new: str | None) -> str:
    lines = difflib.unified_diff(
        _LINE.findall(old or ""),
        _LINE.findall(new or ""),
        f"old/{name}" if old is not None else os.devnull,
        f"new/{name}" if new is not None else os.devnull,
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
