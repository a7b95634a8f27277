"""A small set of real texts with real embeddings; `data/make_quality_set.py` says where they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / "data" / "quality.npz"


@dataclass(frozen=True)
class QualitySet:
    """Memories, questions (the n-th is answered by the n-th memory), and an embedding of each text."""

    memories: list[str]
    questions: list[str]
    vectors: dict[str, list[float]]

    @classmethod
    def load(cls) -> QualitySet:
        """The set as it is kept in the repository."""
        with np.load(FILE) as kept:
            listing = json.loads(kept["listing"].tobytes())
            rows = kept["vectors"].astype(float).tolist()
        texts = listing["texts"]
        vectors = dict(zip(texts, rows, strict=True))
        return cls(listing["memories"], texts[: listing["questions"]], vectors)

    def embed(self, text: str) -> Sequence[float]:
        """The embedding of one of the texts."""
        return self.vectors[text]
