"""Looking for what could keep local mode from working, each finding with what to do about it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.embedded.env_file import read_env
from services.embedded.faults import LocalModeError
from services.embedded.installation import BOUND_TO_THE_DATA, kept_secrets
from services.embedded.local_platform import LocalPlatform
from services.embedded.platform_process import PROCESSES, entries_of
from services.embedded.ports import refuse_taken_ports

Level = Literal["ok", "warn", "fail"]
ENOUGH_FREE_BYTES = 2 * 1024**3
SANE_YEAR = 2026
ENGINE_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    level: Level
    text: str
    fix: str = ""


def diagnose(platform: LocalPlatform) -> list[Finding]:
    """Look at everything; nothing is changed."""
    looks: list[Callable[[LocalPlatform], Finding]] = [
        _python,
        _env_file,
        _data_directory,
        _disk,
        _ports,
        _stores,
        _supervisor,
        _clock,
        lambda _: _user_namespaces(),
        lambda _: _cgroups(),
        _container_engine,
    ]
    return [look(platform) for look in looks]


def _python(platform: LocalPlatform) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"Python {version} in {sys.prefix}")


def _env_file(platform: LocalPlatform) -> Finding:
    path = platform.root / ".env"
    if not path.exists():
        return Finding("settings", "warn", f"{path} is missing", "`agentplane install` writes it")
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding("settings", "fail", f"{path} can be read by others ({mode:o})", f"chmod 600 {path}")
    missing = read_env(platform.root / ".env.example").keys() - read_env(path).keys()
    if missing:
        return Finding(
            "settings", "warn", f"{path} lacks {len(missing)} variables", "`agentplane install` adds them"
        )
    kept = kept_secrets(platform.directory).get(BOUND_TO_THE_DATA)
    if kept and kept != platform.settings.variables.get(BOUND_TO_THE_DATA):
        return Finding(
            "settings",
            "fail",
            f"{BOUND_TO_THE_DATA} is not the one that the data was written under",
            f"take the value from {platform.directory.kept_secrets}",
        )
    return Finding("settings", "ok", f"{path} is complete and private")


def _data_directory(platform: LocalPlatform) -> Finding:
    directory = platform.directory
    if not directory.root.exists():
        return Finding("data directory", "ok", f"{directory.root} will be made by the first start")
    try:
        directory.prepare()
    except LocalModeError as error:
        return Finding("data directory", "fail", str(error), "set AGENTPLANE_DATA_DIR")
    return Finding("data directory", "ok", f"{directory.root}, stores run as {directory.owner.name}")


def _disk(platform: LocalPlatform) -> Finding:
    place = platform.directory.root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / 1024**3:.1f} GiB free under {place}"
    if free < ENOUGH_FREE_BYTES:
        return Finding("disk", "warn", text, "free some space; 2 GiB is comfortable")
    return Finding("disk", "ok", text)


def _ports(platform: LocalPlatform) -> Finding:
    if platform.supervisor() is not None:
        return Finding("ports", "ok", "held by the running platform")
    settings = platform.settings
    wanted = {
        settings.port(e.port): e.name for process in PROCESSES for e in entries_of(process, platform.root)
    }
    wanted[platform.settings.port(4222)] = "nats"
    try:
        refuse_taken_ports(settings.host, wanted)
    except LocalModeError as error:
        *lines, advice = str(error).splitlines()
        return Finding("ports", "fail", "; ".join(lines), advice)
    return Finding("ports", "ok", f"{len(wanted)} ports are free")


def _stores(platform: LocalPlatform) -> Finding:
    if not platform.directory.exists():
        return Finding("stores", "ok", "not made yet; the first start makes them")
    states = [(store.name, store.running() and store.is_ready()) for store in platform.stores().all]
    if platform.supervisor() is None:
        return Finding("stores", "ok", "installed, not running")
    silent = [name for name, ready in states if not ready]
    if silent:
        return Finding("stores", "fail", f"{', '.join(silent)} not ready", f"`agentplane logs {silent[0]}`")
    return Finding("stores", "ok", "PostgreSQL, NATS and Redis answer")


def _supervisor(platform: LocalPlatform) -> Finding:
    told = platform.status()
    if told is None:
        return Finding("platform", "ok", "not running")
    restarted = {
        name: facts["restarts"] for name, facts in told["processes"].items() if facts.get("restarts")
    }
    if restarted:
        text = ", ".join(f"{name} was restarted {times} times" for name, times in restarted.items())
        return Finding("platform", "warn", text, f"`agentplane logs {next(iter(restarted))}` says why")
    return Finding("platform", "ok", f"{told['state']}, supervisor pid {told['pid']}")


def _clock(platform: LocalPlatform) -> Finding:
    now = time.gmtime()
    newest = max(
        path.stat().st_mtime for path in (platform.root / "pyproject.toml", platform.root / ".env.example")
    )
    if now.tm_year < SANE_YEAR or newest > time.time() + 300:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", now)
        return Finding(
            "clock", "fail", f"the clock says {stamp}", "set the machine's clock; tokens and leases need it"
        )
    return Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", now))


def _user_namespaces() -> Finding:
    # A child tries: only the kernel knows what it, its configuration and its security module allow together.
    child = os.fork()
    if child == 0:
        try:
            os.execvp("unshare", ["unshare", "--user", "--map-root-user", "--net", "--mount", "true"])  # noqa: S606, S607
        finally:
            os._exit(127)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        return Finding("user namespaces", "ok", "agents can be isolated by namespaces")
    return Finding(
        "user namespaces",
        "warn",
        "not available; agents run at the level `user` or `none`",
        "allow them: sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000",
    )


def _cgroups() -> Finding:
    trees = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    own = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2]
    groups = [Path(where) / own.lstrip("/") for _, where, kind, *_ in trees if kind == "cgroup2"]
    groups += [
        Path(where)
        for _, where, kind, options, *_ in trees
        if kind == "cgroup" and "memory" in options.split(",")
    ]
    for group in groups:
        if group.is_dir() and os.access(group, os.W_OK):
            return Finding("cgroups", "ok", f"{group} can be written; the kernel enforces agents' limits")
    return Finding(
        "cgroups",
        "warn",
        "no writable cgroup; a watchdog enforces agents' limits",
        "run as root, or under systemd with Delegate=yes",
    )


def _container_engine(platform: LocalPlatform) -> Finding:
    name = "container engine"
    settings = {**read_env(platform.root / ".env"), **os.environ}
    if settings.get("AGENTPLANE_EXECUTOR_DOCKER_DRIVER") == "off":
        return Finding(name, "ok", "switched off; agents run as processes")
    address = settings.get("AGENTPLANE_EXECUTOR_DOCKER_SOCKET") or "/var/run/docker.sock"
    try:
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(ENGINE_SECONDS)
            engine.connect(address)
            engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
            status = engine.recv(64).split()[1:2]
    except OSError as error:
        status, why = [], str(error)
    else:
        why = "it does not answer as one"
    if status != [b"200"]:
        return Finding(
            name,
            "warn",
            f"none at {address} ({why}); of images only agent-runtime:latest can be deployed, and folders",
            "install and start Docker, or deploy a folder: agentplane deploy-agent --folder …",
        )
    if os.geteuid() != 0:
        return Finding(name, "warn", f"one answers at {address}, but containers of agents take root")
    return Finding(name, "ok", f"one answers at {address}; images run as containers")
