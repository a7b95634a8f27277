"""The masks of agents' versions: proposed by a calibration, used once a person has approved them."""

from collections.abc import Sequence
from uuid import UUID

from services.agent_gateway.replay.masks import BadMask, MaskBook, MaskRule, Masks
from services.chassis.database import Database, Row
from services.chassis.errors import Invalid, NotFound
from services.chassis.ids import new_id
from services.contracts.time_travel import DecideMask, DeclareMask, LearntMask, Mask

_APPROVED = """
SELECT tool, pointer, pattern FROM replay_masks
WHERE agent_id = $1 AND agent_version = $2 AND state = 'approved' ORDER BY created_at
"""

_PROPOSE = """
INSERT INTO replay_masks (org_id, id, agent_id, agent_version, tool, pointer, pattern, example, learnt_from)
SELECT $1, id, $2, $3, tool, pointer, pattern, ARRAY[before, after], $4
FROM unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
    AS new (id, tool, pointer, pattern, before, after)
ON CONFLICT (org_id, agent_id, agent_version, tool, pointer, pattern) DO NOTHING
"""

_DECLARE = """
INSERT INTO replay_masks (org_id, id, agent_id, agent_version, tool, pointer, pattern, state, decided_by,
                          decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'approved', $8, clock_timestamp())
ON CONFLICT (org_id, agent_id, agent_version, tool, pointer, pattern)
DO UPDATE SET state = 'approved', decided_by = excluded.decided_by, decided_at = excluded.decided_at
RETURNING *
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

    async def approved(self, org_id: UUID, agent_id: UUID, version: int) -> MaskBook:
        """The masks in use for a version of an agent."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(_APPROVED, agent_id, version)
        return MaskBook(tuple(MaskRule(row["tool"], row["pointer"], row["pattern"]) for row in rows))

    async def declare(self, org_id: UUID, declared: DeclareMask, actor: str) -> Mask:
        """Have a mask used from now on, whatever was decided about it before."""
        new = declared.mask
        try:
            Masks.of([(new.pointer, new.pattern)])
        except BadMask as error:
            raise Invalid(str(error)) from error
        place = (declared.agent_id, declared.agent_version, new.tool or "", new.pointer, new.pattern)
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_DECLARE, org_id, new_id(), *place, actor)
        assert row is not None
        return _mask(row)

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
                [each.tool or "" for each in masks],
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
        return [_mask(row) for row in rows]

    async def decide(self, org_id: UUID, mask_id: UUID, decision: DecideMask, actor: str) -> Mask:
        """Approve or reject a mask."""
        state = "approved" if decision.approve else "rejected"
        async with self._db.tenant(org_id) as connection:
            row = await connection.fetchrow(_DECIDE, mask_id, state, actor)
        if row is None:
            raise NotFound(f"there is no mask {mask_id}")
        return _mask(row)


def _mask(row: Row) -> Mask:
    return Mask.model_validate({**dict(row), "tool": row["tool"] or None})
