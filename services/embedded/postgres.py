"""PostgreSQL 16 with pgvector, run from the wheel's programs: unix socket only, passwords by scram."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.embedded.binaries import StoreBinaries
from services.embedded.credentials import StoreCredentials
from services.embedded.data_directory import DataDirectory
from services.embedded.faults import StoreFailed
from services.embedded.supervised import Supervised

DATABASE = "agentdb"
OWNER_ROLE = "agentplane_owner"
APP_ROLE = "agentplane_app"
SYSTEM_ROLE = "agentplane_system"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "''",
    "port": "5432",  # names the socket file; nothing listens on TCP
    "max_connections": "100",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "posix",
    "max_wal_size": "512MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "'%m [%p] %q%u@%d '",
    "log_checkpoints": "off",
}


class Postgres(Supervised):
    """The database server of local mode and of the tests."""

    # SIGINT is PostgreSQL's fast shutdown: sessions end, nothing is lost, the next start needs no recovery.
    stop_signal = signal.SIGINT

    def __init__(
        self,
        directory: DataDirectory,
        binaries: StoreBinaries,
        credentials: StoreCredentials,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            name="postgres", run_directory=directory.run, log_directory=directory.logs, owner=directory.owner
        )
        self._directory = directory
        self._data = directory.store("postgres")
        self._binaries = binaries
        self._credentials = credentials
        self._settings = {
            **SETTINGS,
            "unix_socket_directories": f"'{directory.sockets}'",
            **(settings or {}),
        }

    def url(self, role: str, password: str, database: str = DATABASE) -> str:
        """The address of a database for one role."""
        return f"postgresql://{role}:{password}@/{database}?host={self._directory.sockets}&port=5432"

    def superuser_url(self, database: str = "postgres") -> str:
        """The address for administration; the platform itself never uses it."""
        return self.url("postgres", self._credentials.postgres_superuser, database)

    def prepare(self) -> None:
        """Create the cluster the first time; write the configuration each time."""
        if not self._data.exists():
            self._create_cluster()
        assert self.owner
        lines = [f"{name} = {value}" for name, value in self._settings.items()]
        self.owner.write_private(self._data / "postgresql.conf", "\n".join(lines) + "\n")
        self.owner.write_private(self._data / "pg_hba.conf", "local all all scram-sha-256\n")

    def command(self) -> Sequence[str | Path]:
        """The server itself; no pg_ctl between it and the supervisor."""
        return [self._binaries.postgres, "-D", self._data]

    def is_ready(self) -> bool:
        """Whether the server accepts connections, by its own word in postmaster.pid."""
        identity = self.identity()
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        # A file of an earlier server may lie there for a moment: line 1 is the pid, line 8 the state.
        ours = identity is not None and lines[:1] == [str(identity.pid)]
        return ours and [line.strip() for line in lines[7:8]] == ["ready"]

    def administer(self, sql: str, database: str = "postgres") -> str:
        """Run SQL as superuser over the socket and return what psql prints, unaligned."""
        return self._run(
            [
                *(self._binaries.psql, "--no-psqlrc", "--quiet", "--no-align", "--tuples-only"),
                *("--set", "ON_ERROR_STOP=1", "--host", self._directory.sockets, "--username", "postgres"),
                *("--dbname", database),
            ],
            sql,
            {"PGPASSWORD": self._credentials.postgres_superuser},
        )

    def has_database(self, name: str) -> bool:
        """Whether the server has a database of that name."""
        return name in self.administer("SELECT datname FROM pg_database").splitlines()

    def _create_cluster(self) -> None:
        # Made aside and renamed when whole: an interrupted first start leaves nothing half-made in the way.
        assert self.owner
        staging = self._data.with_name("postgres.new")
        if staging.exists():
            shutil.rmtree(staging)
        self.owner.make_directory(staging)
        self._run(
            [
                *(self._binaries.initdb, "-D", staging, "-U", "postgres"),
                *("-A", "trust", "-E", "UTF8", "--locale=C"),
            ]
        )
        passwords = self._credentials
        # The other two roles are made by the migrations, whose role may therefore make roles.
        self._single_user(
            staging,
            "postgres",
            f"ALTER ROLE postgres PASSWORD '{passwords.postgres_superuser}'",
            f"CREATE ROLE {OWNER_ROLE} LOGIN NOSUPERUSER CREATEROLE PASSWORD '{passwords.postgres_owner}'",
            f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}",
        )
        self._single_user(
            staging,
            DATABASE,
            # Only a superuser may; the migrations then find it there.
            "CREATE EXTENSION vector",
            f"ALTER SCHEMA public OWNER TO {OWNER_ROLE}",
        )
        staging.rename(self._data)

    def _single_user(self, data: Path, database: str, *statements: str) -> None:
        # The server's single-user mode needs no socket and no password; one statement a line.
        self._run(
            [
                *(self._binaries.postgres, "--single", "-D", data),
                *("-c", "exit_on_error=true", "-c", "password_encryption=scram-sha-256", database),
            ],
            "\n".join(statements) + "\n",
        )

    def _run(
        self, command: Sequence[str | Path], stdin: str = "", environment: Mapping[str, str] | None = None
    ) -> str:
        assert self.owner
        done = subprocess.run(  # noqa: S603 - our own programs, no shell
            [str(part) for part in command],
            input=stdin,
            capture_output=True,
            text=True,
            cwd="/",
            env={**self.environment(), **(environment or {})},
            **self.owner.popen_arguments(),  # type: ignore[call-overload]
        )
        if done.returncode != 0:
            program = Path(command[0]).name
            raise StoreFailed(
                f"{program} failed ({done.returncode}): {done.stderr.strip() or done.stdout.strip()}"
            )
        return str(done.stdout)
