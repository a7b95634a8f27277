"""The three stores as one thing: started together, stopped together, and their addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.embedded.binaries import install_binaries
from services.embedded.credentials import StoreCredentials
from services.embedded.data_directory import DataDirectory
from services.embedded.nats import Nats
from services.embedded.postgres import APP_ROLE, OWNER_ROLE, SYSTEM_ROLE, Postgres
from services.embedded.redis import Redis
from services.embedded.supervised import Supervised


@dataclass(frozen=True)
class StoreAddresses:
    """Where each store is, passwords included; handed to processes as their environment."""

    database_owner_url: str
    database_app_url: str
    database_system_url: str
    redis_url: str
    nats_url: str

    def environment(self) -> dict[str, str]:
        """The variables by which services find the stores, without the right to change the schema."""
        return {
            "DATABASE_APP_URL": self.database_app_url,
            "DATABASE_SYSTEM_URL": self.database_system_url,
            "REDIS_URL": self.redis_url,
            "NATS_URL": self.nats_url,
        }

    def migration_environment(self) -> dict[str, str]:
        """The same, with the role that owns the schema."""
        return {**self.environment(), "DATABASE_OWNER_URL": self.database_owner_url}


class Stores:
    """PostgreSQL, NATS and Redis on one data directory."""

    def __init__(
        self, directory: DataDirectory, nats_port: int, postgres_settings: Mapping[str, str] | None = None
    ) -> None:
        directory.prepare()
        binaries = install_binaries(directory.binaries)
        self._credentials = StoreCredentials.load_or_create(directory.credentials)
        self.postgres = Postgres(directory, binaries, self._credentials, postgres_settings)
        self.nats = Nats(directory, binaries, self._credentials, nats_port)
        self.redis = Redis(directory, binaries, self._credentials)

    @property
    def all(self) -> tuple[Supervised, ...]:
        """The stores in the order of starting."""
        return (self.postgres, self.nats, self.redis)

    def start(self) -> None:
        """Start all three and wait until each is ready; none is left running when one fails."""
        try:
            for store in self.all:
                store.launch()
            for store in self.all:
                store.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all three, whoever started them."""
        for store in reversed(self.all):
            store.stop()

    def addresses(self, database: str | None = None) -> StoreAddresses:
        """Where the stores are; of another database on the same server when it is named."""
        chosen = {} if database is None else {"database": database}
        passwords = self._credentials
        return StoreAddresses(
            database_owner_url=self.postgres.url(OWNER_ROLE, passwords.postgres_owner, **chosen),
            database_app_url=self.postgres.url(APP_ROLE, passwords.postgres_app, **chosen),
            database_system_url=self.postgres.url(SYSTEM_ROLE, passwords.postgres_system, **chosen),
            redis_url=self.redis.url,
            nats_url=self.nats.url,
        )
