"""How a vendor sets up the Lambda function of its templates."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dt_logs_cfn.cli.terminal import cut
from dt_logs_cfn.errors import SettingsError

# [CloudWatch Logs API, PutRetentionPolicy: retentionInDays]
_RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922),
    *(3288, 3653),
)


@dataclass(frozen=True)
class FunctionSettings:
    """Settings of the Lambda function.

    `runtime` is a Python of Lambda's. `memory` is in MB. `timeout` is in seconds; the function
    keeps 30 of them for its answer. `log_retention` is in days, and holds for the least-privilege
    template only: under the documented privileges Lambda makes the log group itself. Raises
    SettingsError for a value that AWS or the handler does not take.

    >>> FunctionSettings(memory=1024).timeout
    900
    """

    runtime: str = "python3.13"
    memory: int = 512
    timeout: int = 900
    log_retention: int = 90

    def __post_init__(self) -> None:
        python = re.fullmatch(r"python3\.1[0-9]", self.runtime)
        self._check("runtime", bool(python), "a Python of Lambda's from python3.10 on")
        self._check("memory", 128 <= self.memory <= 10_240, "128 to 10240 MB")
        self._check("timeout", 60 <= self.timeout <= 900, "60 to 900 seconds")
        days = self.log_retention in _RETENTIONS
        self._check("log_retention", days, f"one of {', '.join(map(str, _RETENTIONS))} days")

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> "FunctionSettings":
        """Read values as a file has them; an empty one is the default. Raises SettingsError."""
        found: dict[str, Any] = {name: text for name, text in values.items() if text}
        for name in found.keys() - {"runtime"}:
            if not re.fullmatch("[0-9]{1,5}", found[name]):
                raise SettingsError(
                    f"{name} of the function is {_shown(found[name])}.", "Give a whole number."
                )
            found[name] = int(found[name])
        return cls(**found)

    def to_metadata(self) -> dict[str, str]:
        """Return as text what differs from the defaults."""
        usual = FunctionSettings()
        return {k: str(v) for k, v in asdict(self).items() if v != getattr(usual, k)}

    def _check(self, name: str, holds: bool, kind: str) -> None:
        if not holds:
            value = _shown(getattr(self, name))
            raise SettingsError(f"{name} of the function is {value}.", f"Give {kind}.")


def _shown(value: object) -> str:
    return cut(repr(value), 80)
