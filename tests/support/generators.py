"""Import the scripts in docs/, which are not in a package, and run the code in a guide."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def generator(name: str) -> ModuleType:
    """Import a script in docs/ by its name."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def alarm() -> dict[str, Any]:
    """Return the names that alarm.py, in docs/library.md, defines."""
    guide = (DOCS / "library.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(# alarm\.py\n.*?)^```$", guide, re.M | re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    return names
