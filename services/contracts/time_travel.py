"""Time travel: forks and replays of executions, their trees, and how two branches differ."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.chassis.contract import Contract, Request
from services.contracts.executions import Divergence, Execution, Fidelity
from services.contracts.steps import Step

OnDivergence = Literal["fail", "live", "ask"]


class Edit(Contract):
    """One change at a step: a value put at a path of its request, or in place of its response."""

    step: int = Field(ge=1, description="step of the original execution")
    target: Literal["request", "response"] = "request"
    path: str = Field(
        "", max_length=1000, description="JSON pointer (RFC 6901); empty replaces the whole document"
    )
    value: Any = None


class Fork(Request):
    """What to do again, from which step on it is live, and what is different."""

    at_step: int | None = Field(
        None, ge=1, description="first step that runs live; null answers every step from the journal"
    )
    edits: list[Edit] = Field(default_factory=list, max_length=50)
    on_divergence: OnDivergence = Field(
        "fail", description="a request without a recorded answer: end, go on live, or wait for a person"
    )
    allow_effects: Literal["ledger", "live"] = Field(
        "ledger", description="`live` runs irreversible tools again; it needs the permission effects:live"
    )
    allow_egress: bool = Field(False, description="let the agent reach hosts again")
    branches: int = Field(1, ge=1, le=50, description="how many executions to make")
    model: str | None = Field(None, max_length=200, description="model of the live part")


class ReplayPlan(Contract):
    """What the gateway keeps of a fork, in the row of the new execution."""

    source_execution_id: UUID
    at_step: int | None = None
    edits: list[Edit] = Field(default_factory=list)
    on_divergence: OnDivergence = "fail"
    allow_effects: Literal["ledger", "live"] = "ledger"
    allow_egress: bool = False
    model: str | None = None


class Branch(Contract):
    """One execution of a tree."""

    execution: Execution
    children: "list[Branch]" = Field(default_factory=list)


class Aligned(Contract):
    """One place in the comparison of two executions: a step of either or of both."""

    change: Literal["same", "edited", "diverged", "added", "missing"]
    left: Step | None = None
    right: Step | None = None
    diff: list[str] = Field(default_factory=list, description="unified diff of both bodies, shortened")


class Sums(Contract):
    """What one side of a comparison came to."""

    execution_id: UUID
    steps: int
    tokens_in: int
    tokens_out: int
    cost_nano: int
    duration_seconds: float


class Comparison(Contract):
    """Two executions beside each other, step by step."""

    left: Sums
    right: Sums
    common_prefix: int = Field(description="steps that are the same from the beginning")
    aligned: list[Aligned]


class Timeline(Contract):
    """An execution's steps, and what is known of how well it can be replayed."""

    execution: Execution
    steps: list[Step]
    next_after_seq: int | None = None
    fidelity: Fidelity
    divergence: Divergence | None = None
