"""Bodies of steps, put together again byte for byte from their recipes."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import orjson

from services.agent_observability.codec import Codec
from services.agent_observability.recipes import assembled, digests
from services.agent_observability.store import StepStore
from services.chassis.database import Row
from services.chassis.errors import NotFound
from services.contracts.steps import RawStep


class Bodies:
    """Reads bodies; each level of a recipe costs one query, whatever the number of steps."""

    def __init__(self, store: StepStore, codec: Codec) -> None:
        self._store = store
        self._codec = codec

    async def raw(self, org_id: UUID, epoch: int, rows: Iterable[Row]) -> list[RawStep]:
        """The exact bytes of steps whose recipes are given."""
        unpack = self._codec.unpack
        found = [(row, unpack(row["request"]), unpack(row["response"])) for row in rows]
        blobs = await self.blobs(org_id, epoch, [each for _, *pair in found for each in pair])
        return [
            RawStep(
                seq=row["seq"],
                request_bytes=assembled(request, blobs.__getitem__),
                response_bytes=assembled(response, blobs.__getitem__),
                response_chunks=self._json(row["response_chunks"]) or [],
                request_patch=self._json(row["request_patch"]),
            )
            for row, request, response in found
        ]

    async def blobs(self, org_id: UUID, epoch: int, recipes: list[bytes]) -> dict[bytes, bytes]:
        """Everything that recipes refer to, directly or through other recipes."""
        found = await self.nodes(org_id, epoch, recipes)
        of_bytes, _ = digests([*recipes, *found.values()])
        found.update(await self.fetched(org_id, epoch, of_bytes))
        return found

    async def nodes(self, org_id: UUID, epoch: int, recipes: list[bytes]) -> dict[bytes, bytes]:
        """The recipes that recipes refer to, directly or through other recipes."""
        found: dict[bytes, bytes] = {}
        while recipes:
            _, of_recipes = digests(recipes)
            fresh = await self.fetched(org_id, epoch, of_recipes - found.keys())
            found.update(fresh)
            recipes = list(fresh.values())
        return found

    async def fetched(self, org_id: UUID, epoch: int, wanted: set[bytes]) -> dict[bytes, bytes]:
        """The content of blobs; `NotFound` when one is kept no longer."""
        if not wanted:
            return {}
        stored = await self._store.blobs(org_id, epoch, wanted)
        if missing := wanted - stored.keys():
            raise NotFound(f"{len(missing)} parts of these bodies are no longer kept")
        return {digest: self._codec.unpack(data) for digest, data in stored.items()}

    def _json(self, stored: bytes | None) -> Any:
        return orjson.loads(self._codec.unpack(stored)) if stored else None
