"""The user who owns the stores' files and runs them: an existing unprivileged one when we are root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from services.embedded.faults import LocalModeError, UnusableDirectory

# `nobody` comes last: process agents may run as nobody, and no agent may be the user who owns the database.
UNPRIVILEGED = ("agentplane", "daemon", "nobody")


@dataclass(frozen=True)
class Owner:
    """A user of this machine, as the kernel knows it."""

    name: str
    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, object]:
        """The arguments that make `subprocess.Popen` start a process as this user."""
        if os.geteuid() == self.uid:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def make_directory(self, path: Path, mode: int = 0o700) -> None:
        """Create `path` for this user; a directory that exists keeps its mode."""
        if not path.exists():
            path.mkdir(parents=True, mode=mode)
            path.chmod(mode)
            self.take(path)
        elif path.stat().st_uid != self.uid:
            raise UnusableDirectory(f"{path} belongs to uid {path.stat().st_uid}, not to {self.name}")

    def write_private(self, path: Path, text: str) -> None:
        """Write a file that only this user (and root) can read."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        self.take(path)

    def take(self, path: Path) -> None:
        """Make this user the owner of `path`."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def require_reach(self, path: Path) -> None:
        """Refuse a directory that this user cannot get to; opening somebody's parents is not ours to do."""
        if os.geteuid() == self.uid:
            return
        for parent in path.resolve().parents:
            if parent.exists() and not _may_enter(parent, self):
                raise UnusableDirectory(
                    f"the stores run as user {self.name}, who may not enter {parent}; "
                    "choose a data directory elsewhere with AGENTPLANE_DATA_DIR"
                )


def stores_owner() -> Owner:
    """The user that runs the stores: ourselves, or an existing unprivileged user when we are root."""
    if os.geteuid() != 0:
        entry = pwd.getpwuid(os.geteuid())
        return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Owner(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise LocalModeError(
        f"none of the users {', '.join(UNPRIVILEGED)} exists; PostgreSQL does not run as root"
    )


def _may_enter(directory: Path, owner: Owner) -> bool:
    status = directory.stat()
    if status.st_uid == owner.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == owner.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)
