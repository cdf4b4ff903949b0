"""Run the scripts in docs/, which are not in a package, and the code in a guide."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def generator(name: str) -> SimpleNamespace:
    """Return the names that a script in docs/ defines."""
    return SimpleNamespace(**runpy.run_path(str(DOCS / f"{name}.py")))


def alarm() -> dict[str, Any]:
    """Return the names that alarm.py, in docs/library.md, defines."""
    guide = (DOCS / "library.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(# alarm\.py\n.*?)^```$", guide, re.M | re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    return names
