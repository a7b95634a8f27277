"""
Run services: `python -m services <name>…`, `--process control`, `all`, `list`, `migrate`, `create-admin`.

A container passes one name; local mode passes a process of many; nothing else differs.
"""

import argparse
import asyncio
import json
import socket
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import get_args

from services import assembly
from services.chassis.footprint import settle
from services.chassis.logging import configure_logging
from services.chassis.settings import PlatformSettings
from services.contracts.catalog import Process
from services.embedded.forking import serve_forks

# Imported by a process only when it starts to serve; every process of local mode does.
NEEDED_WHEN_SERVING = (
    "services.chassis.consumer",
    "uvicorn.lifespan.off",
    "uvicorn.loops.uvloop",
    "services.chassis.frames",
    "uvloop",
)

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, or the given one, and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    parser.add_argument("names", nargs="*", help="services to run, or all, list, migrate, create-admin")
    parser.add_argument("--process", choices=get_args(Process), help="the services of a process")
    options = parser.parse_args(arguments)
    if options.names == ["list"]:
        for entry in assembly.landed():
            sys.stdout.write(f"{entry.port}  {entry.name:<24} {entry.process:<10} {entry.purpose}\n")
    elif options.names == ["fork-server"]:
        _serve_forks()
    elif options.names == ["migrate"]:
        _migrate()
    elif options.names == ["create-admin"]:
        _create_admin()
    else:
        _serve(_chosen(parser, options.names, options.process))


def _chosen(parser: argparse.ArgumentParser, names: list[str], process: str | None) -> list[str]:
    if names == ["all"]:
        return [entry.name for entry in assembly.landed()]
    chosen = names or (assembly.of_process(process) if process else [])
    if not chosen:
        parser.error("name the services to run, or a process")
    return chosen


def _migrate() -> None:
    from services.chassis.migrations import MigrationError, migrate

    try:
        applied = asyncio.run(migrate(PlatformSettings(), MIGRATIONS))
    except MigrationError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write("".join(f"applied {name}\n" for name in applied) or "the database is up to date\n")


def _create_admin() -> None:
    from backend.first_administrator import from_environment

    made = asyncio.run(from_environment())
    # One line for a program to read; the password is known here and nowhere else.
    told = {"email": made.email, "created": made.created, "password": made.password}
    sys.stdout.write(json.dumps(told) + "\n")


def _serve_forks() -> None:
    for entry in assembly.landed():
        assembly.load(entry.name)
    for module in NEEDED_WHEN_SERVING:
        import_module(module)
    with socket.socket(fileno=sys.stdin.fileno()) as asked:
        serve_forks(asked, main)


def _serve(names: list[str]) -> None:
    import uvloop

    from services.chassis.runner import run

    platform = PlatformSettings()
    configure_logging(platform.log_level, platform.process)
    try:
        services = [assembly.load(name) for name in names]
    except KeyError as error:
        sys.exit(f"error: {error.args[0]}")
    settle()
    uvloop.run(run(services, platform, assembly.PORTS, assembly.register))


if __name__ == "__main__":
    main()
