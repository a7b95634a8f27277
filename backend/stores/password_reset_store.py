"""One-time tokens by which people set new passwords: table password_resets; reads users, members."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.database import Connection, Database


@dataclass(frozen=True)
class OpenReset:
    """A token that is still good: whose password it sets, and on whose behalf it was given."""

    user_id: UUID
    email: str
    org_id: UUID


class PasswordResetStore:
    """Resets by the hashes of their tokens."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self, token_hash: bytes, user_id: UUID, org_id: UUID, created_by: str, hours: int
    ) -> datetime:
        """Store a token; those given before for the same person are void. Returns when it ends."""
        async with self._db.system() as connection:
            await self.void(connection, user_id)
            row = await connection.fetchrow(
                "INSERT INTO password_resets (token_hash, user_id, org_id, created_by, expires_at)"
                " VALUES ($1, $2, $3, $4, clock_timestamp() + $5::int * interval '1 hour')"
                " RETURNING expires_at",
                token_hash,
                user_id,
                org_id,
                created_by,
                hours,
            )
        assert row is not None
        ends: datetime = row["expires_at"]
        return ends

    async def open(self, token_hash: bytes) -> OpenReset | None:
        """The reset of a token; null unless it is unused, in time, and its person still a member."""
        row = await self._db.fetchrow(
            "SELECT r.user_id, u.email, r.org_id FROM password_resets r JOIN users u ON u.id = r.user_id"
            " JOIN members m ON m.user_id = r.user_id AND m.org_id = r.org_id"
            " WHERE r.token_hash = $1 AND r.used_at IS NULL AND r.expires_at > clock_timestamp()",
            token_hash,
        )
        return OpenReset(**row) if row else None

    async def use(self, connection: Connection, token_hash: bytes) -> bool:
        """Use a token up; false when it was used meanwhile."""
        row = await connection.fetchrow(
            "UPDATE password_resets SET used_at = clock_timestamp()"
            " WHERE token_hash = $1 AND used_at IS NULL RETURNING user_id",
            token_hash,
        )
        return row is not None

    async def void(self, connection: Connection, user_id: UUID) -> None:
        """Make every open token of a person worthless."""
        await connection.execute(
            "UPDATE password_resets SET used_at = clock_timestamp() WHERE user_id = $1 AND used_at IS NULL",
            user_id,
        )

    async def sweep(self) -> None:
        """Forget tokens that ended more than a week ago."""
        await self._db.execute(
            "DELETE FROM password_resets WHERE expires_at < clock_timestamp() - interval '7 days'"
        )
