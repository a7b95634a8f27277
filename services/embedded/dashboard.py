"""
Building the dashboard of a checkout: once for each state of its sources, beside the running platform.

`python -m services.embedded.dashboard <root>` builds `frontend/.build/<hash>` unless it is there, and with
`standalone` after it the server for Node, `frontend/.build/<hash>-standalone`. The hash is of everything that
goes in, so an unchanged checkout builds nothing. One build runs at a time; what it does is in
`frontend/.build/status.json`. Node is the machine's where it is new enough, else the one of PyPI.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, cast

from services.embedded.faults import LocalModeError
from services.embedded.node_runtime import NodeRuntime, find_node

LEFT_OUT = {
    *("node_modules", ".next", ".build", "out", "tests"),
    *("Dockerfile", "next-env.d.ts", "openapi.json", "schema.d.ts", "tsconfig.tsbuildinfo"),
}
KEPT_BUILDS = 2
BUILD_WITHIN_SECONDS = 900


Kind = Literal["export", "standalone"]
# The last file that each kind of build writes.
_FINISHED: dict[Kind, str] = {"export": "manifest.json", "standalone": "policies.json"}


class DashboardBuild:
    """The dashboard's sources in a checkout, and what is built from them: files, or a server for Node."""

    def __init__(self, root: Path, kind: Kind = "export") -> None:
        self.kind = kind
        self.frontend = root / "frontend"
        self.builds = self.frontend / ".build"
        suffix = "" if kind == "export" else f"-{kind}"
        self.directory = self.builds / f"{_digest(self.frontend)}{suffix}"

    @property
    def built(self) -> bool:
        """Whether these very sources are built."""
        return (self.directory / _FINISHED[self.kind]).is_file()

    def run(self) -> None:
        """Build, unless it is done; waits for a build that is under way."""
        self.builds.mkdir(exist_ok=True)
        with (self.builds / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.built:
                return
            began = time.monotonic()
            try:
                self._say("building", "looking for Node")
                node = find_node(self.builds)
                self._install(node)
                self._say("building", f"building since {time.strftime('%H:%M:%S')}; about a minute")
                self._build(node)
            except (LocalModeError, OSError) as error:
                self._say("failed", str(error))
                raise
            self._say("ready", f"built in {time.monotonic() - began:.0f} s")
            self._forget_old()

    def _install(self, node: NodeRuntime) -> None:
        modules, lock = self.frontend / "node_modules", self.frontend / "package-lock.json"
        stamp = modules / ".agentplane-installed"
        wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
        if not stamp.exists() or stamp.read_text() != wanted:
            self._say("building", "installing the packages that package-lock.json names")
            self._command([*node.npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], node)
            modules.mkdir(exist_ok=True)
            stamp.write_text(wanted)

    def _build(self, node: NodeRuntime) -> None:
        staging = self.builds / "staging"
        shutil.rmtree(staging, ignore_errors=True)
        self._command([node.node, "scripts/build.mjs", self.kind, str(staging)], node)
        staging.rename(self.directory)

    def _command(self, command: list[str], node: NodeRuntime) -> None:
        with (self.builds / "build.log").open("ab") as log:
            # At a lower priority: the platform and its agents go first.
            done = subprocess.run(  # noqa: S603 - no shell
                ["nice", "-n", "10", *command],  # noqa: S607
                cwd=self.frontend,
                env={**os.environ, **node.environment, "NEXT_TELEMETRY_DISABLED": "1", "CI": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=BUILD_WITHIN_SECONDS,
            )
        if done.returncode != 0:
            raise LocalModeError(
                f"the dashboard could not be built: `{' '.join(command[-3:])}` ended with {done.returncode}; "
                f"see {self.builds / 'build.log'}"
            )

    def _say(self, state: str, detail: str) -> None:
        staging = self.builds / "status.new"
        staging.write_text(json.dumps({"state": state, "detail": detail, "at": time.time()}))
        staging.rename(self.builds / "status.json")

    def _forget_old(self) -> None:
        others = [
            path.parent
            for path in self.builds.glob(f"*/{_FINISHED[self.kind]}")
            if path.parent != self.directory
        ]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[KEPT_BUILDS - 1 :]:
            shutil.rmtree(path, ignore_errors=True)


def _digest(frontend: Path) -> str:
    digest = hashlib.sha256()
    for path in _sources(frontend):
        digest.update(f"{path.relative_to(frontend)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in LEFT_OUT:
            continue
        if path.is_dir():
            yield from _sources(path)
        elif path.is_file():
            yield path


if __name__ == "__main__":
    root, kind = ([*sys.argv[1:], "."][0], "standalone" if "standalone" in sys.argv[2:] else "export")
    try:
        DashboardBuild(Path(root).resolve(), cast(Kind, kind)).run()
    except (LocalModeError, OSError, subprocess.TimeoutExpired) as fault:
        sys.exit(f"error: {fault}")
