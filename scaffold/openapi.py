"""Rendering the public API's OpenAPI document for the dashboard's client: `python -m scaffold.openapi`."""

import json
import sys
from pathlib import Path

from services import assembly
from services.chassis.app import api_of

DOCUMENT = Path(__file__).resolve().parents[1] / "frontend" / "openapi.json"


def rendered() -> str:
    """The document of the routes as they are declared; nothing has to run for it."""
    document = api_of(assembly.load("backend")).openapi()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(rendered(), encoding="utf-8")
    sys.stdout.write(f"wrote {DOCUMENT.relative_to(DOCUMENT.parents[1])}\n")
