"""
The environments of bundles: a virtual environment or node_modules, built once per hash of what it holds.

A build runs a stranger's code (set-up scripts, install hooks), so it is confined like an agent, as a user
of its own, with limits, but with the host's network, for it must reach a package registry. When it is done
the result belongs to the platform and agents can only read it.
"""

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.contracts.agents import IsolationLevel
from services.executor import isolation
from services.executor.interpreters import Interpreters
from services.executor.limits import Limiter
from services.executor.logs import tail
from services.executor.plan import Plan
from services.executor.settings import ExecutorSettings, build_environment
from services.executor.shim_process import ShimProcess, readable

MEMORY_BYTES = 2 * 1024**3
CPU_CORES = 2.0
PROCESSES = 512
LOG_LINES = 30
NETWORK_FILES = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/pip.conf",
    "/etc/npmrc",
    "/etc/uv",
)

WITH_UV = (
    'set -e; "$1" venv --quiet --python "$2" "$3"; "$1" pip install --quiet --python "$3/bin/python" -r "$4"'
)
WITH_PIP = (
    'set -e; "$2" -m venv "$3"; "$3/bin/python" -m pip install --quiet --disable-pip-version-check -r "$4"'
)
WITH_NPM = 'set -e; cd "$3"; if [ -e package-lock.json ]; then npm ci $1; else npm install $1; fi'
# Requirements that name files of the bundle, or a package.json that does: what is built is this bundle's own.
FILES_BESIDE = re.compile(rb"(?m)^\s*(-[a-z]|--requirement|--constraint|--editable|[./])|file:|\./")
NPM_FLAGS = "--omit=dev --no-audit --no-fund --loglevel=error"


# A build needs the registries' network, so nothing of a stranger's may run in it.
NO_SCRIPTS = {"UV_NO_BUILD": "1", "PIP_ONLY_BINARY": ":all:", "npm_config_ignore_scripts": "true"}


class BuildFailed(Exception):
    """The environment of a bundle could not be built."""


@dataclass(frozen=True)
class Environment:
    """What a bundle needs besides its own files; empty when it needs nothing."""

    directory: Path | None = None
    node_modules: bool = False


class Environments:
    """Builds environments and hands out those there are."""

    def __init__(
        self,
        directory: Path,
        settings: ExecutorSettings,
        interpreters: Interpreters,
        level: IsolationLevel,
        limiter: Limiter,
        builder: Callable[[], int | None],
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._interpreters = interpreters
        self._level, self._limiter, self._builder = level, limiter, builder
        self._building: dict[str, asyncio.Lock] = {}
        directory.mkdir(mode=0o711, exist_ok=True)
        directory.chmod(0o711)

    async def get(self, code: Path) -> Environment:
        """The environment of unpacked code; those who ask while it is built wait together."""
        if (code / "package.json").is_file():
            sources, node = [code / "package.json", code / "package-lock.json"], True
        elif (code / "requirements.txt").is_file():
            sources, node = [code / "requirements.txt"], False
        else:
            return Environment()
        digest = self._digest(code, sources, node)
        target = self._directory / digest
        async with self._building.setdefault(digest, asyncio.Lock()):
            if not self._ready(target).exists():
                await self._build(code, target, node)
        return Environment(target, node)

    def _ready(self, target: Path) -> Path:
        return target.with_suffix(".ready")

    def _digest(self, code: Path, sources: list[Path], node: bool) -> str:
        program = self._interpreters.node if node else self._interpreters.python
        if program is None:
            raise BuildFailed(self._interpreters.missing["node" if node else "python"])
        seen = hashlib.sha256(f"{program.path} {program.version}".encode())
        for source in sources:
            content = source.read_bytes() if source.is_file() else b""
            seen.update(b"%s %d\n" % (source.name.encode(), len(content)) + content)
            if FILES_BESIDE.search(content):
                seen.update(code.name.encode())
        return seen.hexdigest()

    async def _build(self, code: Path, target: Path, node: bool) -> None:
        place = target.with_suffix(".build")
        shim = ShimProcess(place)
        if shim.pid() is None:
            self._clear(target, place)
            builder = self._builder()
            self._make_places(code, target, place, node, builder)
            plan = self._plan(code, target, place, node, builder)
            self._limiter.apply(plan, f"build-{target.name[:16]}", MEMORY_BYTES, CPU_CORES, PROCESSES)
            await readable(shim.spawn(plan))
        # A build that a killed executor left behind is waited for like our own.
        await shim.wait()
        ended = shim.ended()
        if ended is None or ended.code != 0:
            lines = [line.line for line in tail(place, LOG_LINES)]
            reason = ended.message or ended.reason if ended else "its shim was lost"
            self._clear(target, place)
            raise BuildFailed(f"the bundle's environment could not be built ({reason}): " + " | ".join(lines))
        await asyncio.to_thread(_take_over, target)
        self._ready(target).touch()
        shutil.rmtree(place, ignore_errors=True)

    def _clear(self, target: Path, place: Path) -> None:
        for leftover in (target, place):
            shutil.rmtree(leftover, ignore_errors=True)

    def _make_places(self, code: Path, target: Path, place: Path, node: bool, builder: int | None) -> None:
        for directory, mode in ((place, 0o711), (place / "work", 0o700), (target, 0o700)):
            directory.mkdir()
            directory.chmod(mode)
        if node:
            for name in ("package.json", "package-lock.json"):
                if (code / name).is_file():
                    shutil.copyfile(code / name, target / name)
        if builder is not None:
            for path in (place / "work", target, *target.iterdir()):
                os.chown(path, builder, builder)

    def _plan(self, code: Path, target: Path, place: Path, node: bool, builder: int | None) -> Plan:
        isolated = self._level is IsolationLevel.NAMESPACES
        home = "/agentplane" if isolated else str(place / "work")
        python = self._interpreters.python
        uv = str(self._interpreters.uv or "")
        script = WITH_NPM if node else (WITH_UV if uv else WITH_PIP)
        first = NPM_FLAGS if node else uv
        arguments = [first, str(python.path) if python else "", str(target), str(code / "requirements.txt")]
        plan = Plan(["/bin/sh", "-c", script, "build", *arguments], self._variables(home), home)
        isolation.confine(plan, self._level, place / "work", builder, "build")
        plan.private_network = False
        plan.deadline = place.stat().st_mtime + self._settings.build_seconds
        plan.temporary_bytes = MEMORY_BYTES // 2
        if isolated:
            plan.files = [file for file in plan.files if file[0] not in NETWORK_FILES]
            plan.binds.append((str(target), str(target), True))
            readable_places = [code, *self._interpreters.directories]
            if self._interpreters.uv:
                readable_places.append(self._interpreters.uv)
            plan.binds += [(str(path), str(path), False) for path in readable_places]
            for name in NETWORK_FILES:
                if Path(name).exists():
                    plan.binds.append((str(Path(name).resolve()), name, False))
        return plan

    def _variables(self, home: str) -> dict[str, str]:
        return {
            **build_environment(),
            **({} if self._settings.build_scripts else NO_SCRIPTS),
            "PATH": f"{self._interpreters.tools}:/usr/local/bin:/usr/bin:/bin",
            "HOME": home,
            "LC_ALL": "C.UTF-8",
            "UV_CACHE_DIR": f"{home}/cache",
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_LINK_MODE": "copy",
            "UV_NO_CONFIG": "1",
            "PIP_CACHE_DIR": f"{home}/cache",
            "npm_config_cache": f"{home}/cache",
        }


def _take_over(target: Path) -> None:
    """Make what a build left ours to write and everybody's to read."""
    root = os.geteuid() == 0
    for path in (target, *target.rglob("*")):
        if root:
            os.lchown(path, 0, 0)
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
