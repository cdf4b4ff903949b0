"""Record on disk what a run is about to create, so that `--sweep` can clean up after a killed run.

Each run has a file with a JSON list on each line. The first line holds the run, account and region;
each further line holds `making` or `removed`, a kind and a name. The file contains the account ID,
so only its owner may read it. An incomplete last line is ignored: a resource is created only
after its line is on disk, and a removal can be repeated.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from aws_check.plan import Names, Thing
from dt_logs_cfn.errors import OperatingError

_SUFFIX = ".ledger.jsonl"


@dataclass(frozen=True)
class Ledger:
    """The record of one run, kept only in its file."""

    path: Path
    names: Names
    account: str
    region: str

    @classmethod
    def begin(cls, folder: Path, names: Names, account: str, region: str) -> Ledger:
        """Start the file of a new run."""
        folder.mkdir(parents=True, exist_ok=True)
        ledger = cls(folder / f"{names.run}{_SUFFIX}", names, account, region)
        ledger.path.touch(0o600, exist_ok=False)
        ledger._write(names.run, account, region)
        return ledger

    @classmethod
    def all(cls, folder: Path) -> list[Ledger]:
        """Return the records in a folder. Raises OperatingError if a record is damaged."""
        return [cls._of(path) for path in sorted(folder.glob(f"*{_SUFFIX}"))]

    @classmethod
    def _of(cls, path: Path) -> Ledger:
        try:
            (run, account, region), *lines = _lines(path)
            _ = [Thing(kind, name) for _, kind, name in lines]
            return cls(path, Names(run), account, region)
        except ValueError as error:
            raise OperatingError(
                f"'{path}' is not the ledger of a run.",
                "Check the account for its resources, then move the file away.",
            ) from error

    def making(self, thing: Thing) -> None:
        """Record on disk, before this returns, that a resource is about to be created."""
        self._write("making", thing.kind, thing.name)

    def removed(self, thing: Thing) -> None:
        """Record that a resource no longer exists."""
        self._write("removed", thing.kind, thing.name)

    def left(self) -> list[Thing]:
        """Return the resources that may have been created and were not removed, oldest first."""
        found: dict[Thing, str] = {}
        for event, kind, name in _lines(self.path)[1:]:
            found[Thing(kind, name)] = event
        return [thing for thing, event in found.items() if event == "making"]

    def _write(self, *words: str) -> None:
        whole = self.path.read_text("utf-8")
        with self.path.open("r+", encoding="utf-8") as file:
            file.seek(len(whole[: whole.rfind("\n") + 1].encode()))  # after the last full line
            file.write(json.dumps(words) + "\n")
            file.truncate()
            file.flush()
            os.fsync(file.fileno())


def _lines(path: Path) -> list[list[str]]:
    *lines, _ = path.read_text("utf-8").split("\n")
    return [json.loads(line) for line in lines]
