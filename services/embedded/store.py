"""
One store of the wheels in the foreground, for a container: `python -m services.embedded.store postgres`.

For machines that reach no registry of images; elsewhere compose uses the stores' own images. It listens on
every address of its container, behind the same passwords.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from services.embedded.binaries import StoreBinaries, install_binaries
from services.embedded.settings import told

HOME = Path("/tmp/stores")  # noqa: S108 - a container's own, and a new one each time


def main() -> None:
    """Become the store that the argument names; compose puts its passwords in the environment."""
    HOME.mkdir(exist_ok=True)
    programs = install_binaries(HOME / "programs")
    command = {"postgres": _postgres, "redis": _redis, "nats": _nats}[sys.argv[1]](programs)
    os.execv(command[0], command)  # noqa: S606 - our own program, no shell


def _postgres(programs: StoreBinaries) -> list[str]:
    data = HOME / "postgres"
    if not data.exists():
        _make_cluster(programs, data)
    return [
        str(programs.postgres), "-D", str(data), "-c", "listen_addresses=*",
        "-c", f"unix_socket_directories={HOME}", "-c", "dynamic_shared_memory_type=posix",
    ]  # fmt: skip


def _make_cluster(programs: StoreBinaries, data: Path) -> None:
    secret = HOME / "superuser"
    secret.write_text(told("POSTGRES_PASSWORD"))
    made = ["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", f"--pwfile={secret}"]
    _run(programs.initdb, "-D", str(data), *made)
    owner = told("POSTGRES_OWNER_PASSWORD")
    for database, statements in (
        (
            "postgres",
            [
                f"CREATE ROLE agentplane_owner LOGIN NOSUPERUSER CREATEROLE PASSWORD '{owner}'",
                "CREATE DATABASE agentdb OWNER agentplane_owner",
            ],
        ),
        ("agentdb", ["CREATE EXTENSION vector", "ALTER SCHEMA public OWNER TO agentplane_owner"]),
    ):
        _run(
            programs.postgres, "--single", "-D", str(data), "-c", "exit_on_error=true",
            "-c", "password_encryption=scram-sha-256", database, said="\n".join(statements) + "\n",
        )  # fmt: skip
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all all scram-sha-256\n")


def _redis(programs: StoreBinaries) -> list[str]:
    file = HOME / "redis.conf"
    password = told("REDIS_PASSWORD")
    file.write_text(f'requirepass {password}\nsave ""\nprotected-mode no\ndir {HOME}\n')
    return [str(programs.redis_server), str(file)]


def _nats(programs: StoreBinaries) -> list[str]:
    file = HOME / "nats.conf"
    login = {"user": "agentplane", "password": told("NATS_PASSWORD")}
    limits = {"store_dir": str(HOME / "jetstream"), "max_mem": 64 * 1024**2, "max_file": 16 * 1024**3}
    file.write_text(json.dumps({"authorization": login, "jetstream": limits, "max_payload": 8 * 1024**2}))
    return [str(programs.nats_server), "--config", str(file)]


def _run(program: Path, *arguments: str, said: str = "") -> None:
    done = subprocess.run(  # noqa: S603 - our own program, no shell
        [program, *arguments], input=said, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{program.name} failed: {done.stderr.strip() or done.stdout.strip()}")


if __name__ == "__main__":
    main()
