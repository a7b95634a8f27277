"""Keeping secrets: sealed before they are stored, opened only to be revealed."""

from uuid import UUID

import structlog

from services.chassis.database import Database
from services.chassis.errors import NotFound, Unavailable
from services.contracts.secrets_manager import PutSecret, RevealedSecret, SecretInfo
from services.secrets_manager.cipher import CannotOpen, Cipher
from services.secrets_manager.store import SecretStore

log = structlog.get_logger()


class Secrets:
    """Puts, reveals, lists and destroys the secrets of organisations."""

    def __init__(self, db: Database, store: SecretStore, cipher: Cipher) -> None:
        self._db = db
        self._store = store
        self._cipher = cipher

    async def put(self, org_id: UUID, secret: PutSecret) -> SecretInfo:
        """Store a new version of a secret."""
        async with self._db.tenant(org_id) as connection:
            secret_id, version = await self._store.reserve(connection, org_id, secret.path)
            sealed = self._cipher.seal(secret.value, org_id, secret.path, version)
            await self._store.add_version(connection, org_id, secret_id, version, sealed, secret.actor)
        (info,) = [each for each in await self._store.listed(org_id, secret.path) if each.path == secret.path]
        return info

    async def reveal(self, org_id: UUID, path: str, asked_by: str) -> RevealedSecret:
        """The newest version with its value; who asked for what is logged, the value never."""
        stored = await self._store.newest(org_id, path)
        if stored is None or stored.sealed is None:
            raise NotFound(f"there is no secret {path}")
        try:
            value = self._cipher.open(stored.sealed, org_id, path, stored.version)
        except CannotOpen as error:
            raise Unavailable(str(error)) from error
        log.info("vault.revealed", org_id=str(org_id), path=path, version=stored.version, asked_by=asked_by)
        return RevealedSecret(path=path, version=stored.version, value=value)

    async def listed(self, org_id: UUID, prefix: str) -> list[SecretInfo]:
        """The secrets below a prefix, without values."""
        return await self._store.listed(org_id, prefix)

    async def destroy(self, org_id: UUID, prefix: str) -> None:
        """Make every version of every secret below a prefix unreadable for good."""
        await self._store.destroy(org_id, prefix)
