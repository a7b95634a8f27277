"""Reading the data files that are shipped with the roles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "data"


def load(name: str) -> dict[str, Any]:
    """A data file as a dictionary."""
    content = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content
