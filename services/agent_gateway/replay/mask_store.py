"""The masks of agents' versions: proposed by a calibration, used once a person has approved them."""

from collections.abc import Sequence
from uuid import UUID

from services.chassis.database import Database
from services.chassis.errors import NotFound
from services.chassis.ids import new_id
from services.contracts.time_travel import DecideMask, LearntMask, Mask

_APPROVED = """
SELECT pointer, pattern FROM replay_masks
WHERE agent_id = $1 AND agent_version = $2 AND state = 'approved' ORDER BY created_at
"""

_PROPOSE = """
INSERT INTO replay_masks (org_id, id, agent_id, agent_version, pointer, pattern, example, learnt_from)
SELECT $1, id, $2, $3, pointer, pattern, ARRAY[before, after], $4
FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[])
    AS new (id, pointer, pattern, before, after)
ON CONFLICT (org_id, agent_id, agent_version, pointer, pattern) DO NOTHING
"""

_LIST = """
SELECT * FROM replay_masks WHERE agent_id = $1 AND ($2::int IS NULL OR agent_version = $2) ORDER BY created_at
"""

_DECIDE = """
UPDATE replay_masks SET state = $2, decided_by = $3, decided_at = clock_timestamp() WHERE id = $1 RETURNING *
"""


class MaskStore:
    """Owns `replay_masks`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def approved(self, org_id: UUID, agent_id: UUID, version: int) -> list[tuple[str, str]]:
        """The masks in use for a version of an agent, as pairs of pointer and pattern."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_APPROVED, agent_id, version)
        return [(row["pointer"], row["pattern"]) for row in rows]

    async def propose(
        self, org_id: UUID, agent_id: UUID, version: int, learnt_from: UUID, masks: Sequence[LearntMask]
    ) -> list[Mask]:
        """Keep what was learnt; what is known already stays as it was decided. All masks of the version."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                _PROPOSE,
                org_id,
                agent_id,
                version,
                learnt_from,
                [new_id() for _ in masks],
                [each.pointer for each in masks],
                [each.pattern for each in masks],
                [each.before for each in masks],
                [each.after for each in masks],
            )
        return await self.listed(org_id, agent_id, version)

    async def listed(self, org_id: UUID, agent_id: UUID, version: int | None) -> list[Mask]:
        """The masks of an agent."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_LIST, agent_id, version)
        return [Mask.model_validate(dict(row)) for row in rows]

    async def decide(self, org_id: UUID, mask_id: UUID, decision: DecideMask, actor: str) -> Mask:
        """Approve or reject a mask."""
        state = "approved" if decision.approve else "rejected"
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_DECIDE, mask_id, state, actor)
        if row is None:
            raise NotFound(f"there is no mask {mask_id}")
        return Mask.model_validate(dict(row))
