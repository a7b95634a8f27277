"""
Run services: `python -m services <name>…`, `--process control`, `all`, `list`, `migrate`, `create-admin`.

A container passes one name; local mode passes a process of many; nothing else differs.
"""

import argparse
import asyncio
import gc
import json
import sys
from pathlib import Path

from services import assembly
from services.chassis.logging import configure_logging
from services.chassis.settings import PlatformSettings

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    parser.add_argument("names", nargs="*", help="services to run, or all, list, migrate, create-admin")
    parser.add_argument(
        "--process", choices=["control", "data-path", "node"], help="the services of a process"
    )
    options = parser.parse_args()
    if options.names == ["list"]:
        for entry in assembly.landed():
            sys.stdout.write(f"{entry.port}  {entry.name:<24} {entry.process:<10} {entry.purpose}\n")
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


def _serve(names: list[str]) -> None:
    import uvloop

    from services.chassis.runner import run

    platform = PlatformSettings()
    configure_logging(platform.log_level, platform.process)
    try:
        services = [assembly.load(name) for name in names]
    except KeyError as error:
        sys.exit(f"error: {error.args[0]}")
    # What was imported stays for good; sparing the collector these objects saves work and shared memory.
    gc.collect()
    gc.freeze()
    uvloop.run(run(services, platform, assembly.PORTS, assembly.register))


if __name__ == "__main__":
    main()
