"""
The file that `agentplane login` writes: which AgentPlane is worked with, and the session there.

It lies in the XDG configuration directory, is readable by its owner only, and is replaced in one step. A lock
beside it keeps two commands from using the same refresh token at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agentplane_cli.failure import Exit, Failure


@dataclass
class Session:
    """A login at one address."""

    email: str
    refresh_token: str
    access_token: str = ""
    expires_at: float = 0.0


@dataclass
class Config:
    """The address in use, the sessions by address, and the names of addresses."""

    url: str | None = None
    sessions: dict[str, Session] = field(default_factory=dict)
    contexts: dict[str, str] = field(default_factory=dict)

    def address_of(self, context: str) -> str:
        """The address a name stands for."""
        if context not in self.contexts:
            known = ", ".join(sorted(self.contexts)) or "none"
            raise Failure(f"there is no context {context}; there are: {known}", Exit.NOT_FOUND)
        return self.contexts[context]


class ConfigFile:
    """The configuration on disk."""

    def __init__(self, directory: Path | None = None) -> None:
        home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        self.directory = directory or Path(home) / "agentplane"
        self.path = self.directory / "config.json"

    def read(self) -> Config:
        """What is stored; nothing when there is no file."""
        try:
            stored: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return Config()
        sessions = {url: Session(**session) for url, session in stored.get("sessions", {}).items()}
        return Config(stored.get("url"), sessions, stored.get("contexts", {}))

    @contextlib.contextmanager
    def changed(self) -> Iterator[Config]:
        """The configuration to change, while no other command can; written when the block ends well."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.directory / "config.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            config = self.read()
            before = asdict(config)
            yield config
            if asdict(config) != before:
                self._write(config)

    def _write(self, config: Config) -> None:
        fresh = self.path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(config), file, indent=2)
        fresh.replace(self.path)
