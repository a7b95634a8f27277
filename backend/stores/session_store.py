"""Sessions and their refresh tokens: tables sessions, refresh_tokens."""

from dataclasses import dataclass
from uuid import UUID

from backend.schemas.auth import OwnSession
from services.chassis.database import Connection, Database
from services.chassis.ids import new_id

# One statement decides who wins: the row is locked, and who comes later sees `used_at` set.
_ROTATE = """
WITH used AS (
    UPDATE refresh_tokens t
    SET used_at = clock_timestamp(), successor_hash = $2, successor_sealed = $3
    FROM sessions s
    WHERE t.hash = $1 AND t.used_at IS NULL AND t.expires_at > clock_timestamp()
      AND s.id = t.session_id AND s.revoked_at IS NULL
    RETURNING t.session_id, t.expires_at
), made AS (
    INSERT INTO refresh_tokens (hash, session_id, parent_hash, expires_at)
    SELECT $2, session_id, $1, expires_at FROM used
), seen AS (
    UPDATE sessions SET last_seen_at = clock_timestamp() WHERE id IN (SELECT session_id FROM used)
)
SELECT session_id FROM used
"""

_USED = """
SELECT t.session_id, t.used_at, t.successor_sealed, s.revoked_at IS NOT NULL AS revoked,
       t.expires_at <= clock_timestamp() AS expired,
       t.used_at > clock_timestamp() - $2 * interval '1 second' AS in_grace,
       next.used_at IS NULL AS is_last_but_one
FROM refresh_tokens t
JOIN sessions s ON s.id = t.session_id
LEFT JOIN refresh_tokens next ON next.hash = t.successor_hash
WHERE t.hash = $1
"""

_IDENTITY = """
SELECT u.id AS user_id, u.email, u.name, m.role, o.id AS org_id, o.slug
FROM sessions s
JOIN users u ON u.id = s.user_id AND u.status = 'active'
JOIN members m ON m.user_id = s.user_id AND m.org_id = coalesce($2, s.org_id)
JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
"""

# Sessions of who may no longer act for an organisation go on in the one they joined first of the rest.
_LEAVE = """
WITH left_behind AS (
    SELECT s.id, (
        SELECT m.org_id FROM members m JOIN organisations o ON o.id = m.org_id AND o.deleted_at IS NULL
        WHERE m.user_id = s.user_id AND m.org_id <> $1 ORDER BY m.created_at, m.org_id LIMIT 1
    ) AS next_org
    FROM sessions s
    WHERE s.org_id = $1 AND ($2::uuid IS NULL OR s.user_id = $2) AND s.revoked_at IS NULL
)
UPDATE sessions s SET
    org_id = coalesce(l.next_org, s.org_id),
    revoked_at = CASE WHEN l.next_org IS NULL THEN clock_timestamp() END,
    revoke_reason = CASE WHEN l.next_org IS NULL THEN 'no organisation left' END
FROM left_behind l WHERE l.id = s.id
"""


@dataclass(frozen=True)
class SessionIdentity:
    """Whose session it is, in which organisation and role."""

    user_id: UUID
    email: str
    name: str
    role: str
    org_id: UUID
    slug: str


@dataclass(frozen=True)
class UsedToken:
    """A refresh token that could not be rotated, and why."""

    session_id: UUID
    used: bool
    revoked: bool
    expired: bool
    in_grace: bool
    is_last_but_one: bool
    successor_sealed: bytes | None


class SessionStore:
    """Sessions of people, each a chain of refresh tokens."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def begin(
        self,
        user_id: UUID,
        org_id: UUID,
        token_hash: bytes,
        days: int,
        user_agent: str | None,
        ip: str | None,
    ) -> UUID:
        """Open a session with its first refresh token."""
        session_id = new_id()
        await self._db.execute(
            "WITH made AS (INSERT INTO sessions (id, user_id, org_id, user_agent, ip, expires_at)"
            " VALUES ($1, $2, $3, $5, $6, clock_timestamp() + $7 * interval '1 day')"
            " RETURNING id, expires_at)"
            " INSERT INTO refresh_tokens (hash, session_id, expires_at) SELECT $4, id, expires_at FROM made",
            session_id,
            user_id,
            org_id,
            token_hash,
            user_agent,
            ip,
            days,
        )
        return session_id

    async def identity(self, session_id: UUID, org_id: UUID | None = None) -> SessionIdentity | None:
        """Whose session it is, in the organisation it is for or in the one named; null once it ended."""
        row = await self._db.fetchrow(_IDENTITY, session_id, org_id)
        return SessionIdentity(**row) if row else None

    async def rotate(self, old_hash: bytes, new_hash: bytes, sealed: bytes) -> UUID | None:
        """Use up a token and store its successor; returns the session, null when the token is not unused."""
        row = await self._db.fetchrow(_ROTATE, old_hash, new_hash, sealed)
        return row["session_id"] if row else None

    async def used(self, token_hash: bytes, grace_seconds: float) -> UsedToken | None:
        """What became of a token that `rotate` refused."""
        row = await self._db.fetchrow(_USED, token_hash, grace_seconds)
        if row is None:
            return None
        return UsedToken(
            row["session_id"],
            row["used_at"] is not None,
            row["revoked"],
            row["expired"],
            bool(row["in_grace"]),
            row["is_last_but_one"],
            row["successor_sealed"],
        )

    async def session_of(self, token_hash: bytes) -> UUID | None:
        """The session a refresh token belongs to."""
        row = await self._db.fetchrow("SELECT session_id FROM refresh_tokens WHERE hash = $1", token_hash)
        return row["session_id"] if row else None

    async def revoke(self, session_id: UUID, reason: str) -> None:
        """End a session with all its tokens."""
        await self._db.execute(
            "UPDATE sessions SET revoked_at = clock_timestamp(), revoke_reason = $2"
            " WHERE id = $1 AND revoked_at IS NULL",
            session_id,
            reason,
        )

    async def revoke_one(self, user_id: UUID, session_id: UUID) -> bool:
        """End one of a person's sessions; false when the person has no such session that lasts."""
        row = await self._db.fetchrow(
            "UPDATE sessions SET revoked_at = clock_timestamp(), revoke_reason = 'revoked'"
            " WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING id",
            session_id,
            user_id,
        )
        return row is not None

    async def revoke_all(
        self, connection: Connection, user_id: UUID, but: UUID | None, reason: str
    ) -> list[UUID]:
        """End a person's sessions, all but one where it is named; returns which."""
        rows = await connection.fetch(
            "UPDATE sessions SET revoked_at = clock_timestamp(), revoke_reason = $3"
            " WHERE user_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL RETURNING id",
            user_id,
            but,
            reason,
        )
        return [row["id"] for row in rows]

    async def of_person(self, user_id: UUID, current: UUID | None) -> list[OwnSession]:
        """A person's sessions that last, the most recently used first."""
        rows = await self._db.fetch(
            "SELECT s.id, s.id IS NOT DISTINCT FROM $2 AS current, o.slug AS organisation_slug, s.user_agent,"
            " s.ip, s.created_at, s.last_seen_at AS last_used_at, s.expires_at"
            " FROM sessions s JOIN organisations o ON o.id = s.org_id"
            " WHERE s.user_id = $1 AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()"
            " ORDER BY s.last_seen_at DESC, s.id DESC LIMIT 200",
            user_id,
            current,
        )
        return [OwnSession(**row) for row in rows]

    async def move(self, session_id: UUID, org_id: UUID) -> None:
        """Let a session act for another organisation from its next renewal on."""
        await self._db.execute(
            "UPDATE sessions SET org_id = $2 WHERE id = $1 AND revoked_at IS NULL", session_id, org_id
        )

    async def leave(self, org_id: UUID, user_id: UUID | None = None) -> None:
        """Move sessions out of an organisation, a former member's or everybody's; end those with no other."""
        await self._db.execute(_LEAVE, org_id, user_id)

    async def sweep(self) -> None:
        """Forget sessions that ended more than a week ago, with their tokens."""
        await self._db.execute(
            "DELETE FROM sessions WHERE least(expires_at, revoked_at) < clock_timestamp() - interval '7 days'"
        )
