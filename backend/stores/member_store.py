"""Who belongs to which organisation: table members; reads users."""

from uuid import UUID

from backend.schemas.organisations import Member
from services.chassis.database import Connection, Database


class MemberStore:
    """Memberships of an organisation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def listed(self, org_id: UUID) -> list[Member]:
        """Who belongs to an organisation, the longest membership first."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                "SELECT user_id, role, created_at AS joined_at FROM members WHERE org_id = $1"
                " ORDER BY created_at, user_id",
                org_id,
            )
        people = await self._db.fetch(
            "SELECT id, email, name FROM users WHERE id = ANY($1::uuid[])", [row["user_id"] for row in rows]
        )
        named = {person["id"]: person for person in people}
        return [
            Member(**row, email=named[row["user_id"]]["email"], name=named[row["user_id"]]["name"])
            for row in rows
        ]

    async def locked(self, connection: Connection, org_id: UUID) -> dict[UUID, str]:
        """The role of each member, which nobody else changes until this transaction ends."""
        # One lock for all of them: two owners who remove each other at once must not both succeed.
        await connection.execute("SELECT FROM organisations WHERE id = $1 FOR UPDATE", org_id)
        rows = await connection.fetch("SELECT user_id, role FROM members WHERE org_id = $1", org_id)
        return {row["user_id"]: row["role"] for row in rows}

    async def set_role(self, connection: Connection, org_id: UUID, user_id: UUID, role: str) -> None:
        """Give a member another role."""
        await connection.execute(
            "UPDATE members SET role = $3 WHERE org_id = $1 AND user_id = $2", org_id, user_id, role
        )

    async def remove(self, connection: Connection, org_id: UUID, user_id: UUID) -> None:
        """End a membership."""
        await connection.execute("DELETE FROM members WHERE org_id = $1 AND user_id = $2", org_id, user_id)

    async def organisations_of(self, user_id: UUID) -> set[UUID]:
        """The organisations that a person belongs to."""
        rows = await self._db.fetch(
            "SELECT m.org_id FROM members m JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL"
            " WHERE m.user_id = $1",
            user_id,
        )
        return {row["org_id"] for row in rows}
