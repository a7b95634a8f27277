"""
Agents that call agents: the server `agents`, and the executions that are made for it.

The child carries the idempotency key of the call, so an attempt that asks again finds the child that the one
before it made. It ends with its parent, and no chain of agents is deeper than a limit.
"""

from typing import Any, Protocol
from uuid import UUID

import orjson
from pydantic import Field, ValidationError

from services.agent_gateway.calls import Call
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.tools.answers import NotSent
from services.agent_gateway.tools.child_store import ChildStore
from services.agent_gateway.tools.effects import Described
from services.agent_gateway.tools.protocol import INVALID_PARAMS, METHOD_NOT_FOUND, Json, RpcError, tool_error
from services.agent_gateway.tools.providers import Order
from services.agent_gateway.tools.waiting import Waiting
from services.chassis.clock import Clock
from services.chassis.contract import Request
from services.chassis.errors import PlatformError, Unavailable
from services.contracts.agents import AgentName, Cause
from services.contracts.backend import BackendClient, CallableAgent
from services.contracts.executions import (
    Answer,
    CreateExecution,
    Execution,
    ExecutionEvent,
    ExecutionStatus,
    NewExecution,
    Relation,
)
from services.contracts.steps import Effect, StepKind
from services.contracts.time_travel import ReplayPlan

WAIT_SECONDS = 30.0
_SCHEMA: Json = {
    "type": "object",
    "properties": {
        "agent": {"type": "string", "description": "name of the agent"},
        "input": {"description": "what it is given"},
        "thread_id": {"type": "string"},
        "wait": {"type": "boolean", "description": "false: answer at once, with the id of its execution"},
    },
    "required": ["agent", "input"],
    "additionalProperties": False,
}


class Invocation(Request):
    """What one agent asks of another."""

    agent: AgentName
    input: Any = None
    thread_id: str | None = Field(None, max_length=200)
    wait: bool = True


class Executions(Protocol):
    """What is needed of the gateway to run a child."""

    async def create(self, org_id: UUID, wanted: CreateExecution) -> Execution:
        """Queue an execution."""

    async def get(self, org_id: UUID, execution_id: UUID) -> Execution:
        """One execution of the organisation."""

    async def wait(self, org_id: UUID, execution_id: UUID, timeout_seconds: float) -> Execution:
        """The execution once it is terminal, or as it stands when the time is over."""

    async def events(
        self, org_id: UUID, execution_id: UUID, after_seq: int, limit: int, wait_seconds: float
    ) -> list[ExecutionEvent]:
        """Stored events after a sequence number; waits for one when there is none and more can come."""

    async def resume(self, org_id: UUID, execution_id: UUID, answer: Answer, actor: str) -> Execution | None:
        """Answer what its agent asked; null when it does not wait for this answer."""

    async def cancel(self, org_id: UUID, execution_id: UUID, actor: str, cause: Cause) -> Execution:
        """End an execution."""


class AgentTools:
    """Answers the server `agents`, and keeps children with their parents."""

    name = "agents"
    kind = StepKind.A2A

    def __init__(
        self, backend: BackendClient, store: ChildStore, waiting: Waiting, clock: Clock, most_depth: int
    ) -> None:
        self._backend = backend
        self._store = store
        self._waiting = waiting
        self._clock = clock
        self._most_depth = most_depth

    async def tools(self, holder: Holder) -> list[Described]:
        """The one tool by which any agent is called."""
        return [_described("invoke")]

    async def tool(self, holder: Holder, name: str, arguments: Any) -> Described | None:
        """The agent that is called, as a tool of its own: policies and steps speak of it by its name."""
        if name != "invoke":
            return None
        return _described(invocation(arguments).agent)

    async def call(self, order: Order) -> Json:
        """Run the other agent."""
        asked, active = invocation(order.arguments), order.call.active
        if active is None or order.idempotency_key is None:
            return {"result": tool_error("it is not known which execution calls", Cause.POLICY_DENIED.value)}
        try:
            child = await self._run(order, active, asked, order.idempotency_key)
        except Unavailable as error:
            raise NotSent(error.detail) from error
        except PlatformError as error:
            raise RpcError(INVALID_PARAMS, error.detail) from error
        document = {
            "execution_id": str(child.id),
            "status": child.status.value,
            "output": child.output,
            "error": child.error.model_dump(mode="json") if child.error else None,
        }
        content = [{"type": "text", "text": orjson.dumps(document).decode()}]
        failed = child.status.terminal and child.status is not ExecutionStatus.SUCCEEDED
        return {"result": {"content": content, "structuredContent": document, "isError": failed}}

    async def listed(self, method: str, what: str) -> list[Json]:
        """It has neither resources nor prompts."""
        return []

    async def fetched(self, order: Order) -> Json:
        """It has neither resources nor prompts."""
        raise RpcError(METHOD_NOT_FOUND, "the server agents has tools only")

    async def cancel_orphans(self, executions: Executions) -> None:
        """End children whose parent ended without success."""
        for org_id, execution_id in await self._store.orphans():
            await executions.cancel(org_id, execution_id, "agent-gateway", Cause.CANCELLED_BY_PARENT)

    def serve(self, executions: Executions) -> None:
        """Use these executions; they are made after the tools."""
        self.executions = executions

    async def known(self, org_id: UUID, name: str) -> CallableAgent:
        """The running agent of that name; raises `NotFound`."""
        return await self._backend.callable_agent(org_id, name)

    async def _run(self, order: Order, active: Active, asked: Invocation, key: UUID) -> Execution:
        child = await self.start(order.call, active, asked, key)
        if not asked.wait:
            return child
        async with self._waiting.during(active, ExecutionStatus.WAITING_FOR_CHILD):
            while not child.status.terminal:
                child = await self.executions.wait(active.org_id, child.id, WAIT_SECONDS)
        return child

    async def start(self, call: Call, active: Active, asked: Invocation, key: UUID) -> Execution:
        """The child that a call makes; an attempt that comes again with the key finds the same one."""
        org_id = active.org_id
        depth = await self._store.depth(org_id, active.id)
        if depth >= self._most_depth:
            raise RpcError(INVALID_PARAMS, f"agents may call each other {self._most_depth} deep, not deeper")
        target = await self._backend.callable_agent(org_id, asked.agent)
        left = max(1, int((active.deadline_at - self._clock.now()).total_seconds()))
        how = target.model_dump(exclude={"timeout_seconds"}) | await self._again(call, active, target)
        return await self.executions.create(
            org_id,
            CreateExecution(
                **how,
                request=NewExecution(input=asked.input, thread_id=asked.thread_id),
                timeout_seconds=min(target.timeout_seconds, left),
                idempotency_key=f"call-{key}",
                created_by=actor_of(active),
                traceparent=active.traceparent,
                relation=Relation.CHILD,
                parent_execution_id=active.id,
                parent_step=call.seq,
            ),
        )

    async def _again(self, call: Call, active: Active, target: CallableAgent) -> dict[str, Any]:
        """What is different for the child of a fork: it is a fork of the child that its source had."""
        plan = active.replay
        if plan is None:
            return {}
        called = call.source[1] if call.source is not None else 0
        recorded = await self._store.child(active.org_id, plan.source_execution_id, called)
        own: dict[str, Any] = {"mode": "job", "serves": target.mode == "service"}
        if recorded is not None:
            child_plan = plan.child if plan.child is not None and called == plan.at_step else None
            own |= {"agent_version": recorded[1]}
            plan = child_plan or _all_live(plan, recorded[0])
        else:
            plan = _all_live(plan, plan.source_execution_id)
        above = active.replay.memory_of if active.replay and active.replay.memory_of else active.id
        plan = plan.model_copy(update={"memory_of": above})
        return own | {"replay": plan.model_dump(mode="json")}


def actor_of(active: Active) -> str:
    """By which name the executions that an agent makes say who made them."""
    return f"agent:{active.agent_id}"


def _all_live(parent: ReplayPlan, source_id: UUID) -> ReplayPlan:
    """The plan of a child that runs as a whole, under what its parent may do."""
    return ReplayPlan(
        source_execution_id=source_id,
        at_step=1,
        on_divergence="live",
        allow_effects=parent.allow_effects,
        allow_egress=parent.allow_egress,
        model=parent.model,
    )


def invocation(arguments: Any) -> Invocation:
    """What one agent asks of another; raises `RpcError`."""
    try:
        return Invocation.model_validate(arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise RpcError(INVALID_PARAMS, f"arguments/{where}: {first['msg']}") from None


def _described(name: str) -> Described:
    text = "Give another agent of the organisation work, and wait for its answer."
    tool = {"name": name, "description": text, "inputSchema": _SCHEMA}
    return Described("agents", name, tool, Effect.WRITE, "annotations", idempotent=True)
