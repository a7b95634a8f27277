"""The tables memory_graphs and memory_graph_entries: HNSW over what is too large for signatures."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.database import Database, Row

BUILD_SECONDS = 6 * 3_600
# Writes under way when a graph is read are younger than this, and are searched beside it.
SETTLE_SECONDS = 60

# A collection, or a whole organisation, that is large and has no graph, or one that no longer resembles it.
_DUE = """
WITH wanted AS (
    SELECT org_id, id AS collection_id, live FROM memory_collections WHERE live >= $1
    UNION ALL
    SELECT org_id, NULL, sum(live) FROM memory_collections GROUP BY org_id
    HAVING sum(live) >= $1 AND count(*) FILTER (WHERE live > 0) > 1
)
SELECT w.org_id, w.collection_id FROM wanted w LEFT JOIN memory_graphs g
    ON g.org_id = w.org_id AND g.collection_id IS NOT DISTINCT FROM w.collection_id
    AND g.model_id = $2 AND g.state = 'ready'
WHERE g.id IS NULL OR abs(w.live - g.entries) > 0.2 * g.entries
"""

# What a newer graph of the same replaced, what was left half built, and what another model left behind.
_USELESS = """
SELECT org_id, id FROM memory_graphs g
WHERE g.state = 'building' OR g.model_id <> $1 OR EXISTS (
    SELECT FROM memory_graphs n WHERE n.org_id = g.org_id AND n.model_id = g.model_id AND n.state = 'ready'
    AND n.collection_id IS NOT DISTINCT FROM g.collection_id AND n.id > g.id)
"""


@dataclass(frozen=True)
class Graph:
    """A graph that is ready, and the moment up to which it holds what was written."""

    id: int
    model_id: int
    built_through: datetime


class GraphStore:
    """Builds graphs and drops them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def due(self, large: int, model_id: int) -> list[Row]:
        """Organisation and collection (null: all of it) of graphs that should be built."""
        return await self._db.fetch(_DUE, large, model_id)

    async def build(self, org_id: UUID, collection_id: UUID | None, model_id: int) -> None:
        """Build a graph; it serves when it is whole."""
        graph = await self._db.fetchrow(
            "INSERT INTO memory_graphs (org_id, collection_id, model_id, state, built_through)"
            " VALUES ($1, $2, $3, 'building', clock_timestamp() - $4 * interval '1 second')"
            " RETURNING id, built_through",
            org_id,
            collection_id,
            model_id,
            SETTLE_SECONDS,
        )
        assert graph is not None
        await self._db.execute("SELECT open_memory_graph($1)", graph["id"])
        async with self._db.system() as connection:
            tag = await connection.execute(
                "INSERT INTO memory_graph_entries (graph_id, org_id, memory_id, embedding)"
                " SELECT $1, org_id, memory_id, embedding FROM memory_vectors WHERE org_id = $2"
                " AND model_id = $3 AND ($4::uuid IS NULL OR collection_id = $4) AND stored_at < $5",
                graph["id"],
                org_id,
                model_id,
                collection_id,
                graph["built_through"],
                timeout=BUILD_SECONDS,
            )
        async with self._db.system() as connection:
            await connection.execute("SELECT close_memory_graph($1)", graph["id"], timeout=BUILD_SECONDS)
            await connection.execute(
                "UPDATE memory_graphs SET state = 'ready', entries = $3 WHERE org_id = $1 AND id = $2",
                org_id,
                graph["id"],
                int(tag.rsplit(" ", 1)[-1]),
            )

    async def drop_useless(self, model_id: int) -> None:
        """Drop graphs that serve nobody."""
        for row in await self._db.fetch(_USELESS, model_id):
            async with self._db.system() as connection:
                await connection.execute(
                    "DELETE FROM memory_graphs WHERE org_id = $1 AND id = $2", row["org_id"], row["id"]
                )
                await connection.execute("SELECT drop_memory_graph($1)", row["id"])
