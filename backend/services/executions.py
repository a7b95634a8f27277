"""Executions: the backend knows who may; the agent-gateway owns and decides."""

from collections import OrderedDict
from uuid import UUID

from backend.permissions import Principal
from backend.services.agents import Agents
from backend.services.confined import newest_seen
from services.chassis.contract import Page
from services.contracts.agent_gateway import AgentGatewayClient
from services.contracts.backend import CallableAgent
from services.contracts.executions import (
    Answer,
    CreateExecution,
    Execution,
    ExecutionEvent,
    ExecutionStatus,
    Fidelity,
    NewExecution,
)

REMEMBERED, REMEMBERED_BYTES = 2_000, 16 * 1024


class Executions:
    """Creates, shows and cancels executions."""

    def __init__(self, agents: Agents, gateway: AgentGatewayClient) -> None:
        self._agents = agents
        self._gateway = gateway
        self._ended: OrderedDict[tuple[UUID, UUID], Execution] = OrderedDict()

    async def create(
        self,
        principal: Principal,
        agent_id: UUID,
        request: NewExecution,
        idempotency_key: str | None,
        traceparent: str | None,
        wait_seconds: float = 0,
    ) -> bytes:
        """Queue work for an agent; the same key and request give the same execution, here as its JSON."""
        agent = await self._agents.running(principal.org_id, agent_id)
        spec = agent.spec
        return await self._gateway.create_json(
            principal.org_id,
            CreateExecution(
                agent_id=agent.id,
                agent_name=agent.name,
                agent_version=agent.version,
                mode=spec.mode.value,
                invoke_path=spec.invoke_path,
                concurrency=spec.concurrency,
                capture=spec.capture,
                request=request,
                timeout_seconds=request.timeout_seconds or spec.execution_timeout_seconds,
                max_attempts=request.max_attempts or spec.max_attempts,
                idempotency_key=idempotency_key,
                created_by=principal.actor,
                traceparent=traceparent,
            ),
            wait_seconds,
        )

    async def callable(self, org_id: UUID, name: str) -> CallableAgent:
        """What an agent that calls another needs to know of it."""
        agent = await self._agents.running_named(org_id, name)
        spec = agent.spec
        return CallableAgent(
            agent_id=agent.id,
            agent_name=agent.name,
            agent_version=agent.version,
            mode=spec.mode.value,
            invoke_path=spec.invoke_path,
            concurrency=spec.concurrency,
            capture=spec.capture,
            timeout_seconds=spec.execution_timeout_seconds,
            max_attempts=spec.max_attempts,
        )

    async def get(self, org_id: UUID, execution_id: UUID) -> Execution:
        """One execution; one that has ended never changes, so it is asked for once."""
        known = self._ended.get((org_id, execution_id))
        if known is not None:
            return known
        found = await self._gateway.get(org_id, execution_id)
        # Its fidelity may follow its end by a moment.
        if found.status.terminal and found.fidelity and len(found.model_dump_json()) <= REMEMBERED_BYTES:
            self._ended[org_id, execution_id] = found
            if len(self._ended) > REMEMBERED:
                self._ended.popitem(last=False)
        return found

    async def listed(
        self,
        principal: Principal,
        *,
        agent_id: UUID | None,
        status: ExecutionStatus | None,
        fidelity: Fidelity | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Execution]:
        """Executions that the principal sees, newest first."""
        org_id = principal.org_id

        async def of(agent: UUID | None) -> Page[Execution]:
            if agent_id is not None:
                await self._agents.get(org_id, agent_id)
            return await self._gateway.list_executions(
                org_id, agent_id=agent, status=status, fidelity=fidelity, limit=limit, cursor=cursor
            )

        return await newest_seen(principal, agent_id, limit, of, lambda execution: execution.id)

    async def cancel(self, principal: Principal, execution_id: UUID) -> Execution:
        """Ask for an end."""
        return await self._gateway.cancel(principal.org_id, execution_id, principal.actor)

    async def resume(self, principal: Principal, execution_id: UUID, answer: Answer) -> Execution:
        """Answer what its agent asked."""
        return await self._gateway.resume(principal.org_id, execution_id, answer, principal.actor)

    async def wait(self, org_id: UUID, execution_id: UUID, timeout_seconds: float) -> bytes:
        """The execution once it has ended, or as it stands when the time is over, as its JSON."""
        return await self._gateway.wait_json(org_id, execution_id, timeout_seconds)

    async def events(
        self, org_id: UUID, execution_id: UUID, after_seq: int, wait_seconds: float
    ) -> list[ExecutionEvent]:
        """Stored events after a sequence number; waits for the first where one can come."""
        return await self._gateway.events(org_id, execution_id, after_seq, wait_seconds=wait_seconds)
