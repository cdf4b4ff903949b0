"""What a check found: plain data, put into words and exit codes at the edge only."""

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to correct in a template.

    `path` names the place by its keys, joined with `/`, and is empty for the template as a whole.

    >>> str(Finding("it.json", "Resources/Alarm", "E3002", "error", "It has no such property."))
    'it.json:Resources/Alarm: error E3002: It has no such property.'
    """

    template: str
    path: str
    rule: str
    severity: Severity
    message: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as `--json` prints it."""
        return asdict(self)

    def __str__(self) -> str:
        place = f"{self.template}:{self.path}" if self.path else self.template
        return f"{place}: {self.severity} {self.rule}: {self.message}"
