"""The secrets manager's tables: secrets, secret_versions."""

from dataclasses import dataclass
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.chassis.ids import new_id
from services.contracts.secrets_manager import SecretInfo
from services.secrets_manager.cipher import Sealed


@dataclass(frozen=True)
class StoredVersion:
    """The newest version of a secret, still sealed; null when it was destroyed."""

    version: int
    sealed: Sealed | None


class SecretStore:
    """Sealed values of an organisation, by path."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def reserve(self, connection: Connection, org_id: UUID, path: str) -> tuple[UUID, int]:
        """The secret's id and the number of its next version, locked until the transaction ends."""
        row = await connection.fetchrow(
            "INSERT INTO secrets (org_id, id, path, current_version) VALUES ($1, $2, $3, 1)"
            " ON CONFLICT (org_id, path) DO UPDATE SET current_version = secrets.current_version + 1,"
            " updated_at = clock_timestamp() RETURNING id, current_version",
            org_id,
            new_id(),
            path,
        )
        assert row is not None
        return row["id"], row["current_version"]

    async def add_version(
        self, connection: Connection, org_id: UUID, secret_id: UUID, version: int, sealed: Sealed, actor: str
    ) -> None:
        """Store a sealed version."""
        await connection.execute(
            "INSERT INTO secret_versions (org_id, secret_id, version, master_id, wrapped_key, wrap_nonce,"
            " nonce, ciphertext, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            org_id,
            secret_id,
            version,
            sealed.master_id,
            sealed.wrapped_key,
            sealed.wrap_nonce,
            sealed.nonce,
            sealed.ciphertext,
            actor,
        )

    async def newest(self, org_id: UUID, path: str) -> StoredVersion | None:
        """The newest version at a path."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                "SELECT v.* FROM secrets s JOIN secret_versions v"
                " ON v.org_id = s.org_id AND v.secret_id = s.id AND v.version = s.current_version"
                " WHERE s.org_id = $1 AND s.path = $2",
                org_id,
                path,
            )
        return StoredVersion(row["version"], _sealed(row)) if row else None

    async def listed(self, org_id: UUID, prefix: str) -> list[SecretInfo]:
        """The secrets below a prefix, without values."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                "SELECT path, current_version AS version, created_at, updated_at FROM secrets"
                " WHERE org_id = $1 AND starts_with(path, $2) ORDER BY path",
                org_id,
                prefix,
            )
        return [SecretInfo(**row) for row in rows]

    async def destroy(self, org_id: UUID, prefix: str) -> None:
        """Delete every version and key below a prefix."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                "DELETE FROM secrets WHERE org_id = $1 AND starts_with(path, $2)", org_id, prefix
            )


def _sealed(row: Row) -> Sealed | None:
    if row["ciphertext"] is None:
        return None
    return Sealed(row["master_id"], row["wrapped_key"], row["wrap_nonce"], row["nonce"], row["ciphertext"])
