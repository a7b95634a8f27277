"""The column `fidelity` of executions that nobody counted the steps of while they ran."""

from collections.abc import Sequence
from uuid import UUID

from services.chassis.database import Database
from services.contracts.executions import Fidelity

_UNJUDGED = """
SELECT org_id, id, steps FROM executions
WHERE finished_at IS NOT NULL AND fidelity IS NULL ORDER BY id DESC LIMIT $1
"""
_STEPS = """
SELECT org_id, id, steps FROM executions
WHERE (org_id, id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[])) AND finished_at IS NOT NULL
"""
_JUDGE = """
UPDATE executions e SET fidelity = judged.fidelity
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS judged (org_id, id, fidelity)
WHERE e.org_id = judged.org_id AND e.id = judged.id AND e.fidelity IS DISTINCT FROM judged.fidelity
"""

Ended = tuple[UUID, UUID, int]


class FidelityStore:
    """Reads and writes `executions.fidelity`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def unjudged(self, most: int) -> list[Ended]:
        """Executions that have ended without it, newest first: organisation, id, steps that were counted."""
        return [tuple(row) for row in await self._db.fetch(_UNJUDGED, most)]

    async def ended(self, executions: Sequence[tuple[UUID, UUID]]) -> list[Ended]:
        """Those of the executions that have ended."""
        columns = [[each[place] for each in executions] for place in (0, 1)]
        return [tuple(row) for row in await self._db.fetch(_STEPS, *columns)]

    async def judge(self, judged: Sequence[tuple[UUID, UUID, Fidelity]]) -> None:
        """Keep what was found out."""
        orgs, ids = [each[0] for each in judged], [each[1] for each in judged]
        await self._db.execute(_JUDGE, orgs, ids, [each[2].value for each in judged])
