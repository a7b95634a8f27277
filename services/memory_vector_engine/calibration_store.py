"""Reading memories for calibration: a sample of a collection with its embeddings, and texts as terms."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from services.chassis.database import Database
from services.memory_vector_engine.rotation import Vector


@dataclass(frozen=True)
class Sampled:
    """A memory of a sample."""

    content: str
    vector: Vector


class CalibrationStore:
    """Reads memories and memory_vectors."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def sample(self, org_id: UUID, collection_id: UUID, model_id: int, most: int) -> list[Sampled]:
        """Some embedded memories of a collection, in an order that has nothing to do with what they say."""
        async with self._db.tenant(org_id) as connection:
            rows = await connection.fetch(
                "SELECT m.content, v.embedding::vector::real[] AS embedding FROM memory_vectors v"
                " JOIN memories m ON m.org_id = v.org_id AND m.id = v.memory_id AND m.valid_to IS NULL"
                " WHERE v.org_id = $1 AND v.collection_id = $2 AND v.model_id = $3"
                " ORDER BY v.content_hash LIMIT $4",
                org_id,
                collection_id,
                model_id,
                most,
            )
        return [Sampled(row["content"], np.array(row["embedding"], dtype=np.float32)) for row in rows]

    async def terms(self, texts: Sequence[str], language: str) -> list[Counter[str]]:
        """The terms of texts, as postings hold them."""
        rows = await self._db.fetch(
            "SELECT t.place, u.lexeme, cardinality(u.positions) AS frequency"
            " FROM unnest($1::text[]) WITH ORDINALITY AS t (content, place),"
            " unnest(to_tsvector($2::regconfig, t.content)) u",
            list(texts),
            language,
        )
        found: list[Counter[str]] = [Counter() for _ in texts]
        for row in rows:
            found[row["place"] - 1][row["lexeme"]] = row["frequency"]
        return found
