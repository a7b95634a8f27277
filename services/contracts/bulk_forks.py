"""Bulk forks: one change tried on every execution that a search finds, with an estimate before it."""

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from services.chassis.client import Client
from services.chassis.contract import Contract, Page, Request, Timestamp
from services.contracts.agents import Cause
from services.contracts.executions import ExecutionStatus, Fidelity
from services.contracts.step_search import SearchSteps
from services.contracts.time_travel import EditTarget

MOST_EXECUTIONS = 1000
MOST_AT_ONCE = 50
Verdict = Literal["fixed", "still_failing", "regressed", "unchanged", "diverged", "error"]
ItemState = Literal["waiting", "running", "done", "skipped"]
BulkState = Literal["running", "finished", "cancelled", "stopped"]


class Selection(Request):
    """Executions that have ended and are all of this, newest first; of none that is a fork or a replay."""

    steps: SearchSteps | None = Field(
        None, description="with a step like this; limit and cursor do not count here"
    )
    ids: list[UUID] | None = Field(None, min_length=1, max_length=MOST_EXECUTIONS)
    agent_id: UUID | None = None
    status: ExecutionStatus | None = None
    fidelity: Fidelity | None = None
    created_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = Field(None, description="exclusive")
    limit: int = Field(100, ge=1, le=MOST_EXECUTIONS, description="at most so many executions")

    @model_validator(mode="after")
    def _says_something(self) -> "Selection":
        if self.steps is None and self.ids is None and self.agent_id is None:
            raise ValueError("give steps, ids or agent_id: a selection of everything is not meant")
        return self


class Place(Request):
    """The step of each execution at which it is forked."""

    rule: Literal["match", "first_model_call", "last_model_call", "step"] = Field(
        "first_model_call", description="`match`: the newest step that `steps` found"
    )
    step: int | None = Field(None, ge=1, le=2_147_483_647, description="of the rule `step`")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Place":
        if (self.rule == "step") != (self.step is not None):
            raise ValueError("step goes with the rule `step`, and that rule needs it")
        return self


class BulkEdit(Request):
    """One change in every fork: at its place, or in every model call that is live."""

    target: EditTarget = "request"
    path: str = Field("", max_length=1000, description="JSON pointer; empty replaces a whole response")
    value: Any = None
    every_call: bool = Field(False, description="of every live model call that has such a place")


class Expectation(Request):
    """What an output must be, besides that the execution succeeded."""

    kind: Literal["contains", "matches", "equals"] = Field(
        description="text in it, in any case; a regular expression (RE2) found in it; the same JSON"
    )
    value: Any = Field(description="text, expression or JSON")
    path: str = Field("", max_length=1000, description="JSON pointer of the part of the output that counts")

    @model_validator(mode="after")
    def _is_text(self) -> "Expectation":
        if self.kind != "equals" and not isinstance(self.value, str):
            raise ValueError(f"value must be text where kind is {self.kind}")
        return self


class NewBulkFork(Request):
    """One change to try on many executions."""

    name: str | None = Field(None, max_length=200, pattern=r"^[^\x00]*$")
    selection: Selection
    place: Place = Place()
    edits: list[BulkEdit] = Field(default_factory=list, max_length=50)
    model: str | None = Field(None, max_length=200, description="model of the live part")
    on_divergence: Literal["fail", "live"] = "fail"
    allow_effects: Literal["ledger", "live"] = Field(
        "ledger", description="`live` runs irreversible tools again; it needs the permission effects:live"
    )
    allow_egress: bool = False
    expect: Expectation | None = None
    concurrency: int = Field(4, ge=1, le=MOST_AT_ONCE, description="forks at work at a time")
    budget_nano: int | None = Field(
        None, ge=1, le=2**62, description="nano-dollars that all forks together may cost; null: no limit"
    )


class MakeBulkFork(Contract):
    """What the backend tells the gateway: the change, and who asks for it."""

    new: NewBulkFork
    created_by: str


class ToolCalls(Contract):
    """Recorded calls of tools from the forks' places on, by what they do to the world."""

    read: int = 0
    write: int = 0
    irreversible: int = 0


class Estimate(Contract):
    """What the forks would take, if the rest of each execution went as it was recorded."""

    executions: int = 0
    skipped: int = Field(0, description="executions that were found but have no such place")
    model_calls: int = Field(0, description="calls of models that would be live")
    tokens_in: int = 0
    tokens_out: int = 0
    cost_nano: int = Field(0, description="of the model that would be asked, by its present price")
    unpriced_calls: int = Field(0, description="of the model calls, those whose cost is not known")
    tool_calls: ToolCalls = Field(ToolCalls(), description="that would come again")
    effects_that_run: int = Field(
        0,
        description="of the tool calls, those that would change the world: none that the ledger answers,"
        " all writes and irreversible ones with allow_effects: live",
    )


class BulkFork(Contract):
    """A change that is being tried on many executions, and what came of it so far."""

    id: UUID
    org_id: UUID
    name: str | None = None
    request: NewBulkFork
    estimate: Estimate
    state: BulkState
    reason: str | None = Field(None, description="why it was stopped")
    cancel_requested: bool = False
    states: dict[ItemState, int] = Field(default_factory=dict, description="executions by their state")
    verdicts: dict[Verdict, int] = Field(default_factory=dict, description="ended forks by their verdict")
    cost_nano: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    created_by: str
    created_at: Timestamp
    finished_at: Timestamp | None = None


class BulkForkItem(Contract):
    """One execution of a bulk fork."""

    ordinal: int
    source_execution_id: UUID
    agent_id: UUID
    step: int = Field(description="where it is forked")
    estimate_nano: int
    state: ItemState
    fork_execution_id: UUID | None = None
    verdict: Verdict | None = None
    reason: str | None = None
    original_status: ExecutionStatus
    fork_status: ExecutionStatus | None = None
    fork_cause: Cause | None = None
    diverged_at: int | None = None
    cost_nano: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    finished_at: Timestamp | None = None


class BulkForksClient(Client):
    """Speaks to the agent-gateway about bulk forks."""

    service = "agent-gateway"

    async def estimate(self, org_id: UUID, new: NewBulkFork) -> Estimate:
        """What it would take; nothing is made."""
        return await self._call("POST", "/bulk-forks/estimate", Estimate, org=org_id, body=new, timeout=120)

    async def create(self, org_id: UUID, make: MakeBulkFork) -> BulkFork:
        """Begin."""
        return await self._call("POST", "/bulk-forks", BulkFork, org=org_id, body=make, timeout=120)

    async def listed(self, org_id: UUID, *, limit: int = 50, cursor: str | None = None) -> Page[BulkFork]:
        """Bulk forks of the organisation, newest first."""
        query = {"limit": limit, "cursor": cursor}
        return await self._call("GET", "/bulk-forks", Page[BulkFork], org=org_id, query=query)

    async def get(self, org_id: UUID, bulk_id: UUID) -> BulkFork:
        """One, with what came of it so far."""
        return await self._call("GET", f"/bulk-forks/{bulk_id}", BulkFork, org=org_id)

    async def items(
        self,
        org_id: UUID,
        bulk_id: UUID,
        *,
        verdict: Verdict | None = None,
        state: ItemState | None = None,
        limit: int = 50,
        cursor: int = 0,
    ) -> Page[BulkForkItem]:
        """Its executions, in their order."""
        query = {"verdict": verdict, "state": state, "limit": limit, "cursor": cursor}
        path = f"/bulk-forks/{bulk_id}/executions"
        return await self._call("GET", path, Page[BulkForkItem], org=org_id, query=query)

    async def cancel(self, org_id: UUID, bulk_id: UUID) -> BulkFork:
        """Begin no further fork, and end those at work."""
        return await self._call("POST", f"/bulk-forks/{bulk_id}/cancel", BulkFork, org=org_id)
