"""Passwords of the stores, made once per data directory and kept beside the data they open."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class StoreCredentials:
    """One password per role of a store."""

    postgres_superuser: str
    postgres_owner: str
    postgres_app: str
    postgres_system: str
    redis: str
    nats: str

    @classmethod
    def generate(cls) -> StoreCredentials:
        """New random passwords."""
        # Hexadecimal, so that a password never needs quoting in a URL, in SQL or in a configuration file.
        return cls(**{field.name: secrets.token_hex(24) for field in fields(cls)})

    @classmethod
    def load_or_create(cls, path: Path) -> StoreCredentials:
        """The passwords kept at `path`; made and written (0600) the first time."""
        if path.exists():
            return cls(**json.loads(path.read_text()))
        credentials = cls.generate()
        staging = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(credentials), file, indent=2)
        staging.rename(path)
        return credentials
