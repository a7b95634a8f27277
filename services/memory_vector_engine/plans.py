"""Which search plan serves: a rule on size alone, so that no statistics of the planner can flip it."""

from dataclasses import dataclass
from typing import Literal

Plan = Literal["exact", "signatures", "graph"]


@dataclass(frozen=True)
class Limits:
    """Sizes at which plans change; measured in docs/decisions/0009-memory-search-plans.md."""

    exact_up_to: int
    graph_from: int


def choose_plan(memories: int, limits: Limits, *, graph_ready: bool, filtered: bool) -> Plan:
    """
    The plan for so many memories.

    Exact needs no candidates and cannot miss. Signatures cost a quarter of exact already at 5,000
    memories. The graph serves only what is unfiltered: behind a filter HNSW finds too little.
    """
    if memories <= limits.exact_up_to:
        return "exact"
    if memories >= limits.graph_from and graph_ready and not filtered:
        return "graph"
    return "signatures"
