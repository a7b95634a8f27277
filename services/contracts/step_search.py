"""Looking for steps, what was used, and where recorded answers came from."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from services.chassis.contract import Contract, Page, Request
from services.contracts.agents import Cause
from services.contracts.executions import Fidelity
from services.contracts.steps import Effect, Step, StepKind

Word = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00]*$")]
Status = Literal["succeeded", "failed", "cancelled"]
Count = Annotated[int, Field(ge=0, le=2**62)]
MOST_FOUND = 200
MOST_BEFORE = 4
ExportForm = Literal["jsonl", "otlp"]


class StepPattern(Request):
    """What one step of a pattern is like; what is not said does not matter."""

    kind: StepKind | None = None
    name: Word | None = Field(None, description="the step's name: of tool steps, the tool's")
    tool: Word | None = Field(
        None, description="a tool's step, or an answer of a model that asked for the tool"
    )
    model: Word | None = None
    status: Status | None = None
    cause: Cause | None = None
    effect: Effect | None = None
    served_from: Literal["live", "journal", "ledger", "edit"] | None = None


class StepFilters(StepPattern):
    """Steps that are all of this, newest first."""

    agent_id: UUID | None = None
    execution_id: UUID | None = None
    fidelity: Fidelity | None = Field(None, description="of executions of which so much was recorded")
    unattributed: bool | None = Field(None, description="true: only steps that belong to no execution")
    scripted: bool | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(None, description="exclusive")
    min_cost_nano: Count | None = None
    max_cost_nano: Count | None = None
    min_tokens: Count | None = Field(None, description="of what went in and came out together")
    max_tokens: Count | None = None
    min_milliseconds: Count | None = Field(None, description="from the first byte sent to the last received")
    text: Word | None = Field(
        None,
        description="in the answer, or in what the request said for the first time; in any case",
    )
    limit: int = Field(50, ge=1, le=MOST_FOUND, description="items on a page")
    cursor: UUID | None = Field(None, description="`next_cursor` of the page before")


class SearchSteps(StepFilters):
    """What to look for: a step, and what came before it."""

    after: list[StepPattern] = Field(
        default_factory=list,
        max_length=MOST_BEFORE,
        description="steps before it in the same execution, in order: `refund` after a failed `lookup`",
    )


class StepMatch(Contract):
    """One step that was looked for, and those of the pattern that came before it."""

    step: Step
    after: list[Step] = Field(default_factory=list)
    excerpt: str | None = Field(None, description="the text that was looked for, with what stands around it")


class FoundSteps(Page[StepMatch]):
    """A page; it may hold few or none and still have a next, for one call looks at so many steps only."""


class UsageRow(Contract):
    """What was used by whatever the row names; null where the rows were not told apart."""

    day: date | None = None
    agent_id: UUID | None = None
    model: str | None = Field(None, description="empty for calls that went to no model")
    kind: StepKind | None = None
    calls: int = 0
    failed: int = 0
    unattributed: int = Field(0, description="of the calls, those that belong to no execution")
    replayed: int = Field(
        0, description="of the calls, those that were answered from the journal or the ledger"
    )
    scripted: int = Field(0, description="of the calls, those that the scripted provider answered")
    unpriced: int = Field(
        0, description="of the calls, those to a model without a price: their cost is not known"
    )
    estimated: int = Field(0, description="of the calls, those whose tokens the provider did not tell")
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    tokens_reasoning: int = 0
    cost_nano: int = 0


class Usage(Contract):
    """What an organisation used between two days, both included."""

    since: date
    until: date
    total: UsageRow
    rows: list[UsageRow]


class Source(Contract):
    """An execution that answered steps of another from its record."""

    execution_id: UUID
    steps: int
    first_seq: int = Field(description="first step of the other execution that it answered")
    last_seq: int


class Lineage(Contract):
    """Whose recorded answers an execution was given, and who was given its own."""

    execution_id: UUID
    served_by: list[Source]
    serves: list[Source]
