"""Where local mode keeps everything: one directory, laid out here and nowhere else."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.embedded.faults import UnusableDirectory
from services.embedded.owner import Owner, stores_owner

# A unix socket's path may have 107 bytes; PostgreSQL adds `/.s.PGSQL.5432.lock`.
LONGEST_SOCKET_DIRECTORY = 80

STORES = ("postgres", "postgres.new", "nats", "redis")
PLACES = ("binaries", "logs", "run", "sockets", "node")
FILES = ("credentials.json", "installation.json", "first-run-done")
MADE_HERE = (*STORES, *PLACES, *FILES)


class DataDirectory:
    """The directory that survives restarts and upgrades, and the places inside it."""

    def __init__(self, root: Path, *, binaries: Path | None = None) -> None:
        self.root = root.absolute()
        self.owner: Owner = stores_owner()
        self.binaries = binaries or self.root / "binaries"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> DataDirectory:
        """AGENTPLANE_DATA_DIR; else /var/lib/agentplane for root, and the XDG data directory for others."""
        if environment.get("AGENTPLANE_DATA_DIR"):
            return cls(Path(environment["AGENTPLANE_DATA_DIR"]).expanduser())
        if os.geteuid() == 0:
            return cls(Path("/var/lib/agentplane"))
        home = environment.get("XDG_DATA_HOME") or str(Path("~/.local/share").expanduser())
        return cls(Path(home) / "agentplane")

    @property
    def credentials(self) -> Path:
        """The stores' passwords."""
        return self.root / "credentials.json"

    @property
    def kept_secrets(self) -> Path:
        """A copy of the secrets without which the data could not be read."""
        return self.root / "installation.json"

    @property
    def first_run_done(self) -> Path:
        """Exists once the administrator was made, so that later starts need not ask."""
        return self.root / "first-run-done"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Pid files, the supervisor's lock and its status."""
        return self.root / "run"

    @property
    def sockets(self) -> Path:
        """The stores' unix sockets."""
        inside = self.root / "sockets"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_DIRECTORY:
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"agentplane-{os.geteuid()}-{digest}"

    @property
    def node(self) -> Path:
        """What the executor keeps: bundles, environments, instances."""
        return self.root / "node"

    def store(self, name: str) -> Path:
        """The files of one store."""
        return self.root / name

    def exists(self) -> bool:
        """Whether something was installed here before."""
        return self.credentials.exists()

    def prepare(self) -> None:
        """Create the directory and its places; what is there already keeps its mode, as do its parents."""
        if not self.root.exists():
            # The stores' user must pass through on the way to its own files, and sees none of the others'.
            mode = 0o711 if self.owner.uid != os.geteuid() else 0o700
            try:
                self.root.mkdir(parents=True, exist_ok=True)
                self.root.chmod(mode)
            except OSError as error:
                raise UnusableDirectory(f"cannot create {self.root}: {error.strerror}") from error
        if not os.access(self.root, os.W_OK) or self.root.stat().st_uid != os.geteuid():
            raise UnusableDirectory(f"{self.root} belongs to another user; set AGENTPLANE_DATA_DIR")
        self.owner.require_reach(self.root / "any")
        for place in (self.logs, self.run):
            place.mkdir(mode=0o700, exist_ok=True)
        self.binaries.mkdir(mode=0o755, exist_ok=True, parents=True)
        self.owner.make_directory(self.sockets)

    def wipe(self) -> list[str]:
        """Delete what local mode made, and the directory if that leaves it empty; returns what is left."""
        shutil.rmtree(self.sockets, ignore_errors=True)
        # Only by name: the directory may be one that a person also keeps other things in.
        for name in MADE_HERE:
            place = self.root / name
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
        left = sorted(path.name for path in self.root.iterdir()) if self.root.exists() else []
        if not left and self.root.exists():
            with contextlib.suppress(OSError):
                self.root.rmdir()
        return left
