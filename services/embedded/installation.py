"""What one installation needs before it can start: its `.env`, and a data directory that fits it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from services.embedded.data_directory import DataDirectory
from services.embedded.env_file import complete_env, read_env
from services.embedded.settings import LocalSettings

# Without this one the data could no longer be read, so it is kept with the data too.
BOUND_TO_THE_DATA = "AGENTPLANE_SECRETS_MASTER_KEY"


def prepare(root: Path) -> list[str]:
    """Complete `.env` and the data directory; returns the variables that were written.

    A new checkout on an old data directory gets the master key that the data was written under. A new `.env`
    keeps where this command's environment puts the platform.
    """
    settings = LocalSettings.load(root)
    directory = settings.data_directory
    directory.prepare()
    known = kept_secrets(directory)
    if not (root / ".env").exists():
        known |= _places(settings)
    written = complete_env(root / ".env", root / ".env.example", known)
    key = read_env(root / ".env").get(BOUND_TO_THE_DATA, "")
    if key and not directory.kept_secrets.exists():
        descriptor = os.open(directory.kept_secrets, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({BOUND_TO_THE_DATA: key}, file)
    return written


def kept_secrets(directory: DataDirectory) -> dict[str, str]:
    """The secrets that this data was written under."""
    path = directory.kept_secrets
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _places(settings: LocalSettings) -> dict[str, str]:
    """Where this command's environment puts the platform: a later one, from another shell, must find it."""
    chosen = {
        "AGENTPLANE_DATA_DIR": str(settings.data_directory.root),
        "AGENTPLANE_PORT_BASE": str(settings.port_base),
    }
    return {name: value for name, value in chosen.items() if name in settings.variables}
