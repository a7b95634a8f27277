"""Time travel: forks and replays of executions, their trees, and how two branches differ."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract, Request, Timestamp
from services.contracts.executions import Divergence, Execution, Fidelity
from services.contracts.steps import Step

OnDivergence = Literal["fail", "live", "ask"]
EditTarget = Literal["request", "response"]


class Edit(Contract):
    """One change at a step: a value put at a path of its request, or in place of its response."""

    step: int | None = Field(
        ge=1,
        le=2_147_483_647,
        description="step of the original execution; null: the request of every model call that is live and"
        " has such a place",
    )
    target: EditTarget = "request"
    path: str = Field(
        "", max_length=1000, description="JSON pointer (RFC 6901); empty replaces the whole document"
    )
    value: Any = None


class Fork(Request):
    """What to do again, from which step on it is live, and what is different."""

    at_step: int | None = Field(
        None,
        ge=1,
        le=2_147_483_647,
        description="first step that runs live; null answers every step from the journal",
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
    with_parent: bool = Field(
        True,
        description="of an execution that another one called: fork that one too, and the child within it",
    )
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
    calibrate: bool = Field(
        False, description="propose masks for what changed, and go on as if they were approved"
    )
    memory_of: UUID | None = Field(
        None, description="of a child: the fork above it, whose changes of memory it sees and adds to"
    )
    child: "ReplayPlan | None" = Field(
        None,
        description="of the child that the step `at_step` calls, when a child was forked within its parent",
    )


class NewForks(Contract):
    """What the backend tells the gateway: the fork, and who asks for it."""

    fork: Fork
    created_by: str


class Decision(Request):
    """What a diverged execution that waits is to do."""

    on_divergence: Literal["live", "fail"]


MASKED_TOOL = "of the arguments of this tool, as `server/tool`; null: of the requests of model calls"
MASKED_PLACE = "JSON pointer of the request or the arguments; `*` stands for every element"


class LearntMask(Contract):
    """A place of an agent's requests that changed between a recording and its replay."""

    tool: str | None = Field(None, description=MASKED_TOOL)
    pointer: str = Field(description=MASKED_PLACE)
    pattern: str = Field(description="regular expression (RE2) of what changes there")
    before: str = Field(description="what it was in the recording")
    after: str = Field(description="what it was in the replay")


class Mask(Contract):
    """A mask of one version of an agent; only approved ones are used."""

    id: UUID
    org_id: UUID
    agent_id: UUID
    agent_version: int
    tool: str | None = Field(None, description=MASKED_TOOL)
    pointer: str
    pattern: str
    example: list[str] = Field(description="recorded, then live; empty where it was declared")
    state: Literal["proposed", "approved", "rejected"]
    learnt_from: UUID | None = None
    decided_by: str | None = None
    decided_at: Timestamp | None = None
    created_at: Timestamp


class NewMask(Request):
    """A mask that nobody had to learn; it is used at once."""

    tool: str | None = Field(None, max_length=300, pattern=r"^[^/\x00]+/[^\x00]+$", description=MASKED_TOOL)
    pointer: str = Field("", max_length=500, pattern=r"^[^\x00]*$", description=MASKED_PLACE)
    pattern: str = Field(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00]*$",
        description="regular expression (RE2) of what changes in the texts and numbers there",
    )
    agent_version: int | None = Field(
        None, ge=1, le=2_147_483_647, description="version of the agent; null is the present one"
    )


class DeclareMask(Contract):
    """What the backend tells the gateway: the mask, and of which agent."""

    agent_id: UUID
    agent_version: int
    mask: NewMask


class DecideMask(Request):
    """Whether a mask is used."""

    approve: bool


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
    shortened: bool = Field(False, description="some differing steps are shown without their diff")
    common_prefix: int = Field(description="steps that are the same from the beginning")
    aligned: list[Aligned]


class Timeline(Contract):
    """An execution's steps, and what is known of how well it can be replayed."""

    execution: Execution
    steps: list[Step]
    next_after_seq: int | None = None
    fidelity: Fidelity
    divergence: Divergence | None = None


class TimeTravelClient(Client):
    """Speaks to the agent-gateway about forks."""

    service = "agent-gateway"

    async def fork(self, org_id: UUID, execution_id: UUID, forks: NewForks) -> list[Execution]:
        """Make executions from another, all or none; the original stays as it is."""
        return await self._call(
            "POST", f"/executions/{execution_id}/fork", list[Execution], org=org_id, body=forks
        )

    async def tree(self, org_id: UUID, execution_id: UUID) -> Branch:
        """The whole tree that an execution belongs to."""
        return await self._call("GET", f"/executions/{execution_id}/tree", Branch, org=org_id)

    async def diff(self, org_id: UUID, execution_id: UUID, other: UUID) -> Comparison:
        """Two executions beside each other, step by step."""
        return await self._call("GET", f"/executions/{execution_id}/diff/{other}", Comparison, org=org_id)

    async def decide(self, org_id: UUID, execution_id: UUID, decision: Decision, actor: str) -> Execution:
        """Say what a diverged execution that waits is to do."""
        path = f"/executions/{execution_id}/divergence"
        return await self._call("POST", path, Execution, org=org_id, body=decision, query={"actor": actor})

    async def masks(self, org_id: UUID, agent_id: UUID, version: int | None = None) -> list[Mask]:
        """The masks of an agent."""
        query = {"agent_id": agent_id, "version": version}
        return await self._call("GET", "/masks", list[Mask], org=org_id, query=query)

    async def declare_mask(self, org_id: UUID, mask: DeclareMask, actor: str) -> Mask:
        """Have a mask used from now on."""
        return await self._call("POST", "/masks", Mask, org=org_id, body=mask, query={"actor": actor})

    async def calibrate(self, org_id: UUID, execution_id: UUID, actor: str) -> Execution:
        """Replay an execution to learn which places of its requests change, and propose masks for them."""
        path = f"/executions/{execution_id}/calibrate"
        return await self._call("POST", path, Execution, org=org_id, query={"actor": actor})

    async def decide_mask(self, org_id: UUID, mask_id: UUID, decision: DecideMask, actor: str) -> Mask:
        """Approve or reject a mask."""
        path = f"/masks/{mask_id}"
        return await self._call("PUT", path, Mask, org=org_id, body=decision, query={"actor": actor})
