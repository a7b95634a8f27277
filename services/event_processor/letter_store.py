"""The dead letters: messages that a consumer gave up on."""

from uuid import UUID

from services.chassis.database import Database
from services.contracts.event_processor import DeadLetter


class LetterStore:
    """Dead letters are written by the chassis and replayed here."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def newest(self, limit: int = 500) -> list[DeadLetter]:
        """The newest letters."""
        rows = await self._db.fetch(
            "SELECT * FROM dead_letters ORDER BY died_at DESC, id DESC LIMIT $1", limit
        )
        return [DeadLetter(**row) for row in rows]

    async def get(self, letter_id: UUID) -> DeadLetter | None:
        """One letter."""
        row = await self._db.fetchrow("SELECT * FROM dead_letters WHERE id = $1", letter_id)
        return DeadLetter(**row) if row else None

    async def replayed(self, letter_id: UUID) -> DeadLetter | None:
        """Note that a letter was published again."""
        row = await self._db.fetchrow(
            "UPDATE dead_letters SET replayed_at = clock_timestamp() WHERE id = $1 RETURNING *", letter_id
        )
        return DeadLetter(**row) if row else None
