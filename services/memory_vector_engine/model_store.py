"""The table memory_models: which embedding model answers searches, and which one is to take over."""

from dataclasses import dataclass

from services.chassis.database import Database
from services.memory_vector_engine.provider import Model

_KNOWN = "SELECT id, name, dimensions, mapping, state FROM memory_models WHERE state <> 'retired'"

# The first model ever serves at once; a later one fills first.
_ENSURE = """
INSERT INTO memory_models (name, dimensions, mapping, state)
SELECT $1, $2, $3,
    CASE WHEN EXISTS (SELECT FROM memory_models WHERE state = 'serving') THEN 'filling' ELSE 'serving' END
ON CONFLICT (name, dimensions, mapping) DO UPDATE SET state = excluded.state
WHERE memory_models.state = 'retired'
"""


@dataclass(frozen=True)
class StoredModel:
    """A model with its number."""

    id: int
    model: Model


@dataclass(frozen=True)
class Models:
    """The model that answers searches and the one that is being filled; null where there is none."""

    serving: StoredModel | None = None
    filling: StoredModel | None = None

    @property
    def target(self) -> StoredModel | None:
        """The model that every memory is to have an embedding of."""
        return self.filling or self.serving

    @property
    def ids(self) -> list[int]:
        """The numbers of both."""
        return [each.id for each in (self.serving, self.filling) if each is not None]


class ModelStore:
    """Embedding models of the installation."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def known(self) -> Models:
        """The models in use."""
        found = {
            row["state"]: StoredModel(row["id"], Model(row["name"], row["dimensions"], row["mapping"]))
            for row in await self._db.fetch(_KNOWN)
        }
        return Models(found.get("serving"), found.get("filling"))

    async def want(self, model: Model) -> Models:
        """Make this the model that serves or, while another serves, the one that fills."""
        async with self._db.system() as connection:
            await connection.execute("LOCK TABLE memory_models IN SHARE ROW EXCLUSIVE MODE")
            await connection.execute(
                "UPDATE memory_models SET state = 'retired' WHERE state = 'filling'"
                " AND (name, dimensions, mapping) <> ($1, $2, $3)",
                model.name,
                model.dimensions,
                model.mapping,
            )
            await connection.execute(_ENSURE, model.name, model.dimensions, model.mapping)
        return await self.known()

    async def promote(self, models: Models) -> None:
        """Let the filled model answer searches."""
        assert models.serving and models.filling
        async with self._db.system() as connection:
            await connection.execute(
                "UPDATE memory_models SET state = 'retired' WHERE id = $1 AND state = 'serving'",
                models.serving.id,
            )
            await connection.execute(
                "UPDATE memory_models SET state = 'serving' WHERE id = $1 AND state = 'filling'",
                models.filling.id,
            )
