"""What a search answers: memories as the JSON they are kept as, and how they were found."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from services.chassis.contract import JsonObject
from services.contracts.memories import SearchResult


@dataclass(frozen=True)
class Answer:
    """A `SearchResult` whose items are JSON already; most are only passed on."""

    items: Sequence[JsonObject]
    mode: str
    plan: str
    degraded: bool
    reason: str | None
    pending_embeddings: int
    vector_weight: float
    rank_constant: float

    def json(self) -> bytes:
        """The answer as it leaves."""
        return orjson.dumps(self.__dict__)

    def result(self) -> SearchResult:
        """The answer for who looks into it."""
        return SearchResult.model_validate_json(self.json())
