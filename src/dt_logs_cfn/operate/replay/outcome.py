"""What a replay found and announced, in words and as data; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from dt_logs_cfn.operate.replay.sources import LeftOut, Source


@dataclass(frozen=True)
class Counted:
    """A location's logs by load balancer, those after a key; how many of them were announced."""

    source: Source
    after: str
    found: Mapping[str, int]
    announced: int = 0
    stopped: str = ""  # why the others were not


@dataclass(frozen=True)
class Replayed:
    """What was found, announced and left out."""

    counted: tuple[Counted, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def total(self) -> int:
        return sum(sum(each.found.values()) for each in self.counted)

    @property
    def announced(self) -> int:
        return sum(each.announced for each in self.counted)

    @property
    def complete(self) -> bool:
        """Whether nothing of the stack was left out."""
        return not self.left_out and not any(each.stopped for each in self.counted)

    def lines(self) -> Iterator[str]:
        """Yield the lines for people, without the summary."""
        for each in self.counted:
            yield f"{each.source} through {each.source.topic}"
            yield from (f"{count:>11,}  {name}" for name, count in sorted(each.found.items()))
            if each.stopped:
                yield f"  STOPPED    after {each.announced:,}: {each.stopped}"
        yield from (f"  LEFT OUT   {each.what}: {each.why}" for each in self.left_out)

    @property
    def summary(self) -> str:
        return f"{self.announced:,} of {self.total:,} log objects announced again"

    def data(self) -> dict[str, object]:
        """Return it for programs."""
        locations = [
            {**asdict(each), "source": str(each.source), "topic": each.source.topic}
            for each in self.counted
        ]
        left_out = [asdict(each) for each in self.left_out]
        totals = {"found": self.total, "announced": self.announced}
        return {**totals, "locations": locations, "left_out": left_out}
