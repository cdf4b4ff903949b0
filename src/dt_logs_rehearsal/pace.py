"""Keep the emulated account's time, which passes faster than real time."""

import time
from dataclasses import dataclass, field

RATE = 20  # a pause of 20 seconds takes one second


@dataclass(frozen=True)
class Pace:
    """A clock that starts now and runs `rate` times as fast as this machine's."""

    rate: int = RATE
    began: float = field(default_factory=time.time)
    _mark: float = field(default_factory=time.monotonic)

    def __call__(self) -> float:
        """Return the emulated account's time, in seconds since 1970."""
        return self.began + (time.monotonic() - self._mark) * self.rate

    def sleep(self, seconds: float) -> None:
        """Wait for this many seconds of the account's time."""
        time.sleep(seconds / self.rate)
