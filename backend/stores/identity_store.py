"""Organisations, users and their memberships: tables organisations, users, members."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from backend.schemas.organisations import Organisation
from services.chassis.database import Connection, Database
from services.chassis.errors import AlreadyExists
from services.chassis.ids import new_id


@dataclass(frozen=True)
class Account:
    """A user as a login needs it."""

    id: UUID
    email: str
    name: str
    password_hash: str
    active: bool


class IdentityStore:
    """Who there is, and who belongs where."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def account(self, email: str) -> Account | None:
        """The user of an e-mail address."""
        row = await self._db.fetchrow(
            "SELECT id, email, name, password_hash, status = 'active' AS active FROM users"
            " WHERE lower(email) = lower($1)",
            email,
        )
        return Account(**row) if row else None

    async def set_password_hash(self, connection: Connection, user_id: UUID, password_hash: str) -> None:
        """Replace a hash: a new password, or the same under stronger parameters."""
        await connection.execute(
            "UPDATE users SET password_hash = $2, updated_at = clock_timestamp() WHERE id = $1",
            user_id,
            password_hash,
        )

    async def organisations_of(self, user_id: UUID) -> list[Organisation]:
        """The organisations a user is a member of, the longest membership first."""
        rows = await self._db.fetch(
            "SELECT o.id, o.slug, o.name, o.created_at, m.role FROM members m"
            " JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL"
            " WHERE m.user_id = $1 ORDER BY m.created_at, o.id",
            user_id,
        )
        return [Organisation(**row) for row in rows]

    async def organisation(self, org_id: UUID) -> Organisation | None:
        """One organisation, by the id of the principal's own."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                "SELECT id, slug, name, created_at FROM organisations WHERE id = $1 AND deleted_at IS NULL",
                org_id,
            )
        return Organisation(**row) if row else None

    async def rename(self, org_id: UUID, name: str) -> None:
        """Give an organisation another name; its slug stays."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                "UPDATE organisations SET name = $2, updated_at = clock_timestamp() WHERE id = $1",
                org_id,
                name,
            )

    async def delete(self, connection: Connection, org_id: UUID) -> int:
        """End an organisation, unless it has agents: returns how many; its slug is free again at the end."""
        await connection.execute("SELECT FROM organisations WHERE id = $1 FOR UPDATE", org_id)
        row = await connection.fetchrow(
            "SELECT count(*) AS agents FROM agents WHERE org_id = $1 AND deleted_at IS NULL", org_id
        )
        assert row is not None
        if row["agents"] == 0:
            # No slug that the API accepts has a tilde.
            await connection.execute(
                "UPDATE organisations SET deleted_at = clock_timestamp(), updated_at = clock_timestamp(),"
                " slug = slug || '~' || id WHERE id = $1 AND deleted_at IS NULL",
                org_id,
            )
        return int(row["agents"])

    async def found(self, slug: str, name: str, owner_id: UUID) -> Organisation:
        """Create an organisation with its owner."""
        try:
            return await self._found(slug, name, owner_id)
        except asyncpg.UniqueViolationError:
            raise AlreadyExists(f"an organisation {slug} exists already") from None

    async def _found(self, slug: str, name: str, owner_id: UUID) -> Organisation:
        async with self._db.system() as connection:
            org_id = await self.add_organisation(connection, slug, name)
            await self.add_member(connection, org_id, owner_id, "owner")
            row = await connection.fetchrow("SELECT created_at FROM organisations WHERE id = $1", org_id)
        assert row is not None
        return Organisation(id=org_id, slug=slug, name=name, role="owner", created_at=row["created_at"])

    async def add_organisation(self, connection: Connection, slug: str, name: str) -> UUID:
        """Insert an organisation."""
        org_id = new_id()
        await connection.execute(
            "INSERT INTO organisations (id, slug, name) VALUES ($1, $2, $3)", org_id, slug, name
        )
        return org_id

    async def organisation_id(self, connection: Connection, slug: str) -> UUID | None:
        """The organisation of a slug."""
        row = await connection.fetchrow("SELECT id FROM organisations WHERE slug = $1", slug)
        return row["id"] if row else None

    async def add_user(self, connection: Connection, email: str, name: str, password_hash: str) -> UUID:
        """Insert a user."""
        user_id = new_id()
        await connection.execute(
            "INSERT INTO users (id, email, name, password_hash) VALUES ($1, $2, $3, $4)",
            user_id,
            email,
            name,
            password_hash,
        )
        return user_id

    async def add_member(self, connection: Connection, org_id: UUID, user_id: UUID, role: str) -> None:
        """Make a user a member; a membership that exists stays as it is."""
        await connection.execute(
            "INSERT INTO members (org_id, user_id, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            org_id,
            user_id,
            role,
        )
