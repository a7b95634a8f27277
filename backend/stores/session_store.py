"""Sessions and their refresh tokens: tables sessions, refresh_tokens."""

from dataclasses import dataclass
from uuid import UUID

from services.chassis.database import Database
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
JOIN members m ON m.user_id = s.user_id AND m.org_id = s.org_id
JOIN organisations o ON o.id = s.org_id
WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()
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

    async def identity(self, session_id: UUID) -> SessionIdentity | None:
        """Whose session it is; null once it ended."""
        row = await self._db.fetchrow(_IDENTITY, session_id)
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

    async def sweep(self) -> None:
        """Forget sessions that ended more than a week ago, with their tokens."""
        await self._db.execute(
            "DELETE FROM sessions WHERE least(expires_at, revoked_at) < clock_timestamp() - interval '7 days'"
        )
