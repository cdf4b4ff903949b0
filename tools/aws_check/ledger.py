"""What a run makes, recorded on disk before it is made, so that a killed run can be swept.

One file a run, one JSON object a line: first the run, then `making` and `removed`. The file holds
the account's id, so it is readable for its owner alone. Half a line at the end means that nothing
was made: a thing is made only after its line is on disk.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from aws_check.plan import Kind, Names, Thing
from dt_logs_cfn.errors import OperatingError

_SUFFIX = ".ledger.jsonl"


@dataclass(frozen=True)
class Recorded:
    """A run as its file tells it; `things` are those not yet removed, oldest first."""

    names: Names
    account: str
    region: str
    things: tuple[Thing, ...] = ()


def read(path: Path) -> Recorded:
    """Read a run's file. Raises OperatingError if it is damaged."""
    *lines, _ = path.read_text("utf-8").split("\n")
    try:
        first = json.loads(lines[0])
        found = Recorded(Names(first["run"]), first["account"], first["region"])
        for line in lines[1:]:
            found = _after(found, json.loads(line))
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise OperatingError(
            f"'{path}' is not the ledger of a run.", "Move it away, and look at the account."
        ) from error
    return found


def _after(found: Recorded, line: dict[str, str]) -> Recorded:
    ((event, name), (_, kind)) = line.items()
    known = [each for each in get_args(Kind) if each == kind]
    thing = Thing(known[0], name)
    others = tuple(each for each in found.things if each != thing)
    match event:
        case "making":
            return replace(found, things=(*others, thing))
        case "removed":
            return replace(found, things=others)
    raise ValueError(event)


def runs(folder: Path) -> list[Path]:
    """Return the files of the runs that are recorded in a folder."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


@dataclass
class Ledger:
    """Records what one run makes; `made` is all that it ever made."""

    path: Path
    recorded: Recorded
    made: set[Thing] = field(default_factory=set)

    @classmethod
    def begin(cls, folder: Path, recorded: Recorded) -> Ledger:
        """Start the file of a new run."""
        folder.mkdir(parents=True, exist_ok=True)
        ledger = cls(folder / f"{recorded.names.run}{_SUFFIX}", recorded)
        ledger.path.touch(0o600, exist_ok=False)
        ledger._write(
            {"run": recorded.names.run, "account": recorded.account, "region": recorded.region}
        )
        return ledger

    @classmethod
    def resume(cls, path: Path) -> Ledger:
        """Go on with a run that ended. Raises OperatingError if its file is damaged."""
        text = path.read_text("utf-8")
        path.write_text(text[: text.rfind("\n") + 1], "utf-8")  # without half a line
        recorded = read(path)
        return cls(path, recorded, set(recorded.things))

    def making(self, thing: Thing) -> Thing:
        """Record that a thing is about to be made; on disk when this returns."""
        self._write({"making": thing.name, "kind": thing.kind})
        self.made.add(thing)
        return thing

    def removed(self, thing: Thing) -> None:
        """Record that a thing is gone."""
        self._write({"removed": thing.name, "kind": thing.kind})

    def left(self) -> tuple[Thing, ...]:
        """Return what has been made and not removed."""
        return read(self.path).things

    def _write(self, line: dict[str, str]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
