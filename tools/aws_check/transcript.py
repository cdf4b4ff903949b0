"""Write calls and answers as JSON lines, without account IDs or secrets, for recordings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LONGEST = 4000  # characters of a string; only templates are longer, and the release contains them
# Patterns of secrets, identities and addresses, with their replacements.
_PATTERNS = (
    (re.compile(r"(X-Amz-[A-Za-z-]+)=[^&\s\"'\\]+"), r"\1=<secret>"),
    (re.compile(r"\bA(?:KI|SI|RO|ID|GP|NP|BI)A[A-Z0-9]{12,}\b"), "<key>"),
    (re.compile(r"\b(assumed-role|federated-user|user)/[^\s\"'\\,)]+"), r"\1/<caller>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{64,}\b"), "<hex>"),
    (re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"), "<ip>"),
    (re.compile(r"(?<!\d)\d{12}(?!\d)"), "<account>"),
)
_SECRET = re.compile("token|receipthandle|secret|signature|credential|userid", re.IGNORECASE)
_DROPPED = frozenset(("ResponseMetadata", "HostId", "RequestId"))


@dataclass(frozen=True)
class Scrubber:
    """Replaces `known` values, then values that are confidential or that differ in each run."""

    known: Mapping[str, str] = field(default_factory=dict)

    def also(self, value: str, instead: str) -> Scrubber:
        """Return a copy that replaces one more value."""
        return Scrubber({value: instead, **self.known})

    def text(self, text: str) -> str:
        """Return a string without secrets, account IDs, addresses or callers; cut a long one."""
        for value, instead in self.known.items():
            text = text.replace(value, instead)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

    def data(self, value: object) -> object:
        """Return boto3's arguments or answers scrubbed; a stream becomes the name of its type."""
        match value:
            case bool() | int() | float() | None:
                return value
            case str():
                return self.text(value)
            case Mapping():
                return {
                    self.text(str(key)): "<secret>" if _hidden(str(key), each) else self.data(each)
                    for key, each in value.items()
                    if key not in _DROPPED
                }
            case list() | tuple():
                return [self.data(each) for each in value]
        return self.text(str(value)) if hasattr(value, "isoformat") else f"<{type(value).__name__}>"


def _hidden(key: str, value: object) -> bool:
    return isinstance(value, str) and bool(_SECRET.search(key))


@dataclass
class Transcript:
    """A file of JSON lines; a line that is equal to the previous one is not written."""

    path: Path
    scrubber: Scrubber
    _last: str = ""

    def write(self, line: Mapping[str, object]) -> None:
        """Scrub and write one line."""
        text = json.dumps(self.scrubber.data(line), ensure_ascii=False)
        if text != self._last:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{text}\n")
        self._last = text
