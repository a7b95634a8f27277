"""Executions that agents start: how deep they are nested, and which have lost their parent."""

from uuid import UUID

from services.chassis.database import Database

_DEPTH = """
WITH RECURSIVE up AS (
    SELECT e.relation, e.parent_execution_id, 1 AS depth FROM executions e WHERE e.org_id = $1 AND e.id = $2
    UNION ALL
    SELECT e.relation, e.parent_execution_id, up.depth + 1
    FROM up JOIN executions e ON e.org_id = $1 AND e.id = up.parent_execution_id
    WHERE up.relation = 'child' AND up.depth < 100
)
SELECT max(depth) AS depth FROM up
"""

# What a parent that succeeded did not wait for goes on.
_ORPHANS = """
SELECT c.org_id, c.id FROM executions c
JOIN executions p ON p.org_id = c.org_id AND p.id = c.parent_execution_id
WHERE c.relation = 'child' AND c.finished_at IS NULL AND p.status IN ('cancelled', 'failed', 'expired')
LIMIT 500
"""


_CHILD = """
SELECT id, agent_version FROM executions
WHERE parent_execution_id = $1 AND parent_step = $2 AND relation = 'child' ORDER BY id LIMIT 1
"""


class ChildStore:
    """Reads executions as a tree."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def depth(self, org_id: UUID, execution_id: UUID) -> int:
        """How many executions lead down to this one, itself included."""
        async with self._db.tenant(org_id) as connection:
            return int(await connection.fetchval(_DEPTH, org_id, execution_id) or 0)

    async def child(self, org_id: UUID, parent_id: UUID, step: int) -> tuple[UUID, int] | None:
        """The execution that a step called, and the version of its agent; null when it called none."""
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_CHILD, parent_id, step)
        return (row["id"], row["agent_version"]) if row is not None else None

    async def orphans(self) -> list[tuple[UUID, UUID]]:
        """Children under way whose parent ended without success: organisation and id."""
        return [(row["org_id"], row["id"]) for row in await self._db.fetch(_ORPHANS)]
