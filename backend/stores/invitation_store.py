"""Invitations to organisations, by the hashes of their tokens: table invitations."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.schemas.organisations import CreateInvitation, Invitation
from services.chassis.database import Connection, Database
from services.chassis.ids import new_id

_SHOWN = """
id, email, role, invited_by, created_at, expires_at, accepted_at, revoked_at,
CASE WHEN accepted_at IS NOT NULL THEN 'accepted' WHEN revoked_at IS NOT NULL THEN 'revoked'
     WHEN expires_at <= clock_timestamp() THEN 'expired' ELSE 'open' END AS state
"""

_INSERT = f"""
INSERT INTO invitations (org_id, id, email, role, token_hash, invited_by, inviter_id, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8::int * interval '1 day') RETURNING {_SHOWN}
"""  # noqa: S608 - a constant of this module


@dataclass(frozen=True)
class OpenInvitation:
    """An invitation that can be accepted now."""

    id: UUID
    org_id: UUID
    slug: str
    name: str
    email: str
    role: str
    expires_at: datetime


class InvitationStore:
    """Invitations of an organisation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(
        self, org_id: UUID, new: CreateInvitation, token_hash: bytes, invited_by: str, inviter_id: UUID | None
    ) -> Invitation:
        """Store an invitation; it takes the place of one that is open for the same address."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                "UPDATE invitations SET revoked_at = clock_timestamp() WHERE org_id = $1"
                " AND lower(email) = lower($2) AND accepted_at IS NULL AND revoked_at IS NULL",
                org_id,
                new.email,
            )
            row = await connection.fetchrow(
                _INSERT,
                org_id,
                new_id(),
                new.email,
                new.role,
                token_hash,
                invited_by,
                inviter_id,
                new.expires_in_days,
            )
        assert row is not None
        return Invitation(**row)

    async def listed(self, org_id: UUID, before: UUID | None, limit: int) -> list[Invitation]:
        """Invitations of an organisation, newest first, without their tokens."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                f"SELECT {_SHOWN} FROM invitations"  # noqa: S608 - a constant of this module
                " WHERE org_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
                org_id,
                before,
                limit,
            )
        return [Invitation(**row) for row in rows]

    async def revoke(self, org_id: UUID, invitation_id: UUID) -> bool:
        """Make an unanswered invitation worthless; false when the organisation has none of that id."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(
                "UPDATE invitations SET revoked_at = coalesce(revoked_at, clock_timestamp())"
                " WHERE org_id = $1 AND id = $2 AND accepted_at IS NULL RETURNING id",
                org_id,
                invitation_id,
            )
        return row is not None

    async def revoke_of(self, connection: Connection, org_id: UUID, inviter_id: UUID | None) -> None:
        """Make worthless what a member has invited and nobody answered; of all members with null."""
        await connection.execute(
            "UPDATE invitations SET revoked_at = clock_timestamp() WHERE org_id = $1"
            " AND ($2::uuid IS NULL OR inviter_id = $2) AND accepted_at IS NULL AND revoked_at IS NULL",
            org_id,
            inviter_id,
        )

    async def open(self, token_hash: bytes) -> OpenInvitation | None:
        """The invitation of a token, if it can be accepted now."""
        row = await self._db.fetchrow(
            "SELECT i.id, i.org_id, o.slug, o.name, i.email, i.role, i.expires_at"
            " FROM invitations i JOIN organisations o ON o.id = i.org_id AND o.deleted_at IS NULL"
            " WHERE i.token_hash = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL"
            " AND i.expires_at > clock_timestamp()",
            token_hash,
        )
        return OpenInvitation(**row) if row else None

    async def accept(self, connection: Connection, org_id: UUID, invitation_id: UUID, user_id: UUID) -> bool:
        """Use an invitation up; false when another was faster or it ended meanwhile."""
        row = await connection.fetchrow(
            "UPDATE invitations SET accepted_at = clock_timestamp(), accepted_by = $3"
            " WHERE org_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL"
            " AND expires_at > clock_timestamp() RETURNING id",
            org_id,
            invitation_id,
            user_id,
        )
        return row is not None
