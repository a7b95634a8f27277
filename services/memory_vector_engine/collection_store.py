"""The table memory_collections: what is searched as one, its size, and its fusion weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.memory_vector_engine.graph_store import Graph
from services.memory_vector_engine.scopes import Collection

# Rows are locked in the order of their ids, so that two writers cannot wait for each other.
_LOCK = """
INSERT INTO memory_collections (org_id, id, scope, agent_id, thread_id, user_id)
SELECT $1, c.* FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[]) AS c
ON CONFLICT (org_id, id) DO UPDATE SET written_at = clock_timestamp()
RETURNING date_trunc('milliseconds', clock_timestamp()) AS at
"""

_SIZES = """
SELECT id, live, words, vector_weight, rank_constant,
       (SELECT count(*) FROM memory_pending p WHERE p.org_id = $1 AND p.collection_id = c.id) AS pending
FROM memory_collections c WHERE org_id = $1
"""

_GRAPH = """
SELECT id, model_id, built_through FROM memory_graphs
WHERE org_id = $1 AND collection_id IS NOT DISTINCT FROM $2 AND state = 'ready' ORDER BY id DESC LIMIT 1
"""

_GROWN = """
SELECT org_id, id, live, words FROM memory_collections
WHERE live >= 64 AND live >= 2 * calibrated_live ORDER BY live LIMIT $1
"""


@dataclass(frozen=True)
class Size:
    """How much a set of collections holds, and how its two rankings are weighed."""

    ids: list[UUID]
    live: int = 0
    words: int = 0
    pending: int = 0
    vector_weight: float = 0.5
    rank_constant: float = 60.0
    graph: Graph | None = None

    @property
    def mean_words(self) -> float:
        """Words of an average memory."""
        return max(1.0, self.words / self.live) if self.live else 1.0


class CollectionStore:
    """Collections of an organisation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def lock(self, connection: Connection, org_id: UUID, collections: set[Collection]) -> datetime:
        """Hold collections until the transaction ends, making new ones; returns the moment of the write."""
        ordered = sorted(collections, key=lambda each: each.id)
        rows = await connection.fetch(
            _LOCK,
            org_id,
            [each.id for each in ordered],
            [each.scope.value for each in ordered],
            [each.agent_id for each in ordered],
            [each.thread_id for each in ordered],
            [each.user_id for each in ordered],
        )
        moments: list[datetime] = [row["at"] for row in rows]
        return max(moments)

    async def lock_existing(self, connection: Connection, org_id: UUID, ids: Sequence[UUID]) -> datetime:
        """Hold collections that are there; returns the moment of the write."""
        moment: datetime = await connection.fetchval(
            "WITH held AS (SELECT id FROM memory_collections WHERE org_id = $1 AND id = ANY($2)"
            " ORDER BY id FOR UPDATE) SELECT date_trunc('milliseconds', clock_timestamp()) FROM"
            " (SELECT count(*) FROM held) AS counted",
            org_id,
            sorted(ids),
        )
        return moment

    async def wait_for_writers(
        self, connection: Connection, org_id: UUID, ids: Sequence[UUID] | None
    ) -> datetime:
        """Let writes under way finish, so that the past cannot change any more; returns the present."""
        await connection.fetch(
            "SELECT FROM memory_collections WHERE org_id = $1 AND ($2::uuid[] IS NULL OR id = ANY($2))"
            " ORDER BY id FOR SHARE",
            org_id,
            ids,
        )
        moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return moment

    async def grow(self, connection: Connection, org_id: UUID, by: dict[UUID, tuple[int, int]]) -> None:
        """Count memories and words that came or went, by collection."""
        await connection.execute(
            "UPDATE memory_collections c SET live = c.live + g.live, words = c.words + g.words"
            " FROM unnest($2::uuid[], $3::int[], $4::bigint[]) AS g (id, live, words)"
            " WHERE c.org_id = $1 AND c.id = g.id",
            org_id,
            list(by),
            [live for live, _ in by.values()],
            [words for _, words in by.values()],
        )

    async def size(self, org_id: UUID, ids: Sequence[UUID] | None) -> Size:
        """The size of some collections together, or of all; weights are those of the largest."""
        async with self._db.tenant(org_id) as connection:
            if ids is None:
                rows = await connection.fetch(_SIZES, org_id)
            else:
                rows = await connection.fetch(_SIZES + " AND id = ANY($2)", org_id, ids)
            found = [row["id"] for row in rows]
            one = found[0] if ids is not None and len(found) == 1 else None
            graph = None
            if ids is None or one is not None:
                graph = await connection.fetchrow(_GRAPH, org_id, one)
        return _together(rows, Graph(**graph) if graph else None)

    async def grown(self, most: int) -> list[Row]:
        """Collections that doubled since their weights were last calibrated."""
        return await self._db.fetch(_GROWN, most)

    async def calibrated(
        self, org_id: UUID, collection_id: UUID, live: int, weights: tuple[float, float]
    ) -> None:
        """Keep the fusion weights found for a collection."""
        async with self._db.tenant(org_id) as connection:
            await connection.execute(
                "UPDATE memory_collections SET vector_weight = $3, rank_constant = $4, calibrated_live = $5,"
                " calibrated_at = clock_timestamp() WHERE org_id = $1 AND id = $2",
                org_id,
                collection_id,
                *weights,
                live,
            )


def _together(rows: Sequence[Row], graph: Graph | None) -> Size:
    # Only collections that exist: most agents share nothing, and one collection is searched faster than two.
    ids = [row["id"] for row in rows]
    if not rows:
        return Size(ids)
    largest = max(rows, key=lambda row: row["live"])
    return Size(
        ids,
        sum(row["live"] for row in rows),
        sum(row["words"] for row in rows),
        sum(row["pending"] for row in rows),
        largest["vector_weight"],
        largest["rank_constant"],
        graph,
    )
