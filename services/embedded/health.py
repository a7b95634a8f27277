"""The state of all 35 parts of the platform, as seen from this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.contracts.catalog import STATUS_TABLE, Entry
from services.embedded.local_platform import LocalPlatform
from services.embedded.platform_process import exists
from services.embedded.probe import http_status
from services.embedded.supervised import Supervised

HEALTHY, NOT_READY, DOWN, ABSENT = "healthy", "not ready", "down", "absent"
SOCKETS = ("postgres", "redis")


@dataclass(frozen=True)
class PartState:
    """One line of `agentplane status`."""

    name: str
    port: int
    state: str
    process: str
    pid: int | None
    milliseconds: float | None
    note: str


def survey(platform: LocalPlatform) -> list[PartState]:
    """Ask every part how it is, all at once."""
    processes: Mapping[str, Any] = (platform.status() or {}).get("processes", {})
    stores = {store.name: store for store in platform.stores().all} if platform.directory.exists() else {}

    def state(entry: Entry) -> PartState:
        if entry.kind == "store":
            return _store(entry, platform, stores.get(entry.name))
        return _service(entry, platform, processes)

    with ThreadPoolExecutor(len(STATUS_TABLE)) as asking:
        return list(asking.map(state, STATUS_TABLE))


def _store(entry: Entry, platform: LocalPlatform, store: Supervised | None) -> PartState:
    port = platform.settings.port(entry.port)
    identity = store.identity() if store else None
    began = time.monotonic()
    ready = store is not None and identity is not None and store.is_ready()
    took = (time.monotonic() - began) * 1000 if ready else None
    state = HEALTHY if ready else DOWN if identity is None else NOT_READY
    note = f"unix socket in {platform.directory.sockets}" if entry.name in SOCKETS else "loopback"
    return PartState(entry.name, port, state, entry.name, identity.pid if identity else None, took, note)


def _service(entry: Entry, platform: LocalPlatform, processes: Mapping[str, Any]) -> PartState:
    port = platform.settings.port(entry.port)
    if not _runs_here(entry, platform.root):
        return PartState(entry.name, port, ABSENT, "", None, None, _why_absent(entry))
    began = time.monotonic()
    path = "/ready" if entry.kind != "web" else "/"
    answer = http_status(platform.settings.host, port, path, timeout_seconds=5)
    took = (time.monotonic() - began) * 1000 if answer else None
    pid = processes.get(entry.process, {}).get("pid")
    state = DOWN if answer is None else HEALTHY if answer < 400 else NOT_READY
    return PartState(entry.name, port, state, entry.process, pid if answer else None, took, "")


def _runs_here(entry: Entry, root: Path) -> bool:
    return entry.kind in ("service", "edge", "web") and exists(entry, root)


def _why_absent(entry: Entry) -> str:
    if entry.kind == "observability":
        return "not part of local mode; runs with compose and Helm"
    return "not part of this version"
