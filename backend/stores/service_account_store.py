"""Accounts of programs: table service_accounts."""

from uuid import UUID

import asyncpg

from backend.schemas.organisations import CreateServiceAccount, ServiceAccount
from services.chassis.database import Connection, Database
from services.chassis.errors import AlreadyExists
from services.chassis.ids import new_id

_SHOWN = "id, name, description, role, created_by, created_at, disabled_at"

_INSERT = f"""
INSERT INTO service_accounts (org_id, id, name, description, role, created_by)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING {_SHOWN}
"""  # noqa: S608 - a constant of this module


class ServiceAccountStore:
    """Service accounts of an organisation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, org_id: UUID, new: CreateServiceAccount, created_by: str) -> ServiceAccount:
        """Store a new account."""
        try:
            async with self._db.tenant(org_id) as connection:
                row = await connection.fetchrow(
                    _INSERT,
                    org_id,
                    new_id(),
                    new.name,
                    new.description,
                    new.role,
                    created_by,
                )
        except asyncpg.UniqueViolationError:
            raise AlreadyExists(f"a service account named {new.name} exists already") from None
        assert row is not None
        return ServiceAccount(**row)

    async def get(self, org_id: UUID, account_id: UUID) -> ServiceAccount | None:
        """One account."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                f"SELECT {_SHOWN} FROM service_accounts WHERE org_id = $1 AND id = $2",  # noqa: S608 - a constant
                org_id,
                account_id,
            )
        return ServiceAccount(**row) if row else None

    async def listed(self, org_id: UUID, before: UUID | None, limit: int) -> list[ServiceAccount]:
        """Accounts of an organisation, newest first; disabled ones too."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                f"SELECT {_SHOWN} FROM service_accounts"  # noqa: S608 - a constant of this module
                " WHERE org_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
                org_id,
                before,
                limit,
            )
        return [ServiceAccount(**row) for row in rows]

    async def disable(self, connection: Connection, org_id: UUID, account_id: UUID | None) -> bool:
        """Make an account's keys worthless, with null those of all accounts; false when there is none."""
        rows = await connection.fetch(
            "UPDATE service_accounts SET disabled_at = coalesce(disabled_at, clock_timestamp())"
            " WHERE org_id = $1 AND ($2::uuid IS NULL OR id = $2) RETURNING id",
            org_id,
            account_id,
        )
        return bool(rows)
