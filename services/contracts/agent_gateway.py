"""What the agent-gateway offers the platform: executions, and the keys agents call it with."""

from typing import Any
from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract, Page, Timestamp
from services.contracts.agents import InstanceExit
from services.contracts.executions import (
    Answer,
    CreateExecution,
    Execution,
    ExecutionEvent,
    ExecutionStatus,
    Fidelity,
)
from services.contracts.spending import Policy


class IssueKey(Contract):
    """Whom a virtual key is for; with an execution it is good for that one only."""

    org_id: UUID
    agent_id: UUID
    agent_name: str
    instance_id: UUID
    run_id: UUID
    execution_id: UUID | None = None
    attempt: int = 1
    provider_keys: dict[str, str] = Field(default_factory=dict, description="variable -> vault path")
    capture: str = "durable"
    egress_allow: list[str] = Field(default_factory=list, description="hosts the process may reach")
    policy: Policy | None = Field(None, description="what the agent may call, beside its organisation's")


class VirtualKey(Contract):
    """A key an agent may hold; the gateway keeps only its hash."""

    key: str
    token: str = Field(description="what AGENTPLANE_TOKEN_FILE holds; rotated")
    token_expires_at: Timestamp


class JobFinished(Contract):
    """How a job's process ended and what it answered."""

    org_id: UUID
    execution_id: UUID
    attempt: int
    instance_id: UUID
    run_id: UUID
    exit: InstanceExit
    output: Any = None
    has_output: bool = False


class AgentGatewayClient(Client):
    """Speaks to the agent-gateway."""

    service = "agent-gateway"

    async def create(self, org_id: UUID, request: CreateExecution, wait_seconds: float = 0) -> Execution:
        """
        Queue an execution; the same idempotency key and request give the same execution.

        With `wait_seconds` it is answered when it has ended, or as it stands when the time is over.
        """
        query = {"wait_seconds": wait_seconds or None}
        timeout = wait_seconds + 10
        return await self._call(
            "POST", "/executions", Execution, org=org_id, body=request, query=query, timeout=timeout
        )

    async def create_json(self, org_id: UUID, request: CreateExecution, wait_seconds: float = 0) -> bytes:
        """What `create` answers, as JSON for who only passes it on."""
        query = {"wait_seconds": wait_seconds or None}
        timeout = wait_seconds + 10
        return await self._call(
            "POST", "/executions", bytes, org=org_id, body=request, query=query, timeout=timeout
        )

    async def get(self, org_id: UUID, execution_id: UUID) -> Execution:
        """One execution."""
        return await self._call("GET", f"/executions/{execution_id}", Execution, org=org_id)

    async def list_executions(
        self,
        org_id: UUID,
        *,
        agent_id: UUID | None = None,
        status: ExecutionStatus | None = None,
        fidelity: Fidelity | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Execution]:
        """Executions, newest first."""
        query = {
            "agent_id": agent_id,
            "status": status,
            "fidelity": fidelity,
            "limit": limit,
            "cursor": cursor,
        }
        return await self._call("GET", "/executions", Page[Execution], org=org_id, query=query)

    async def cancel(self, org_id: UUID, execution_id: UUID, actor: str) -> Execution:
        """Ask for an end; terminal within 2 s, whatever the agent does."""
        path = f"/executions/{execution_id}/cancel"
        return await self._call("POST", path, Execution, org=org_id, query={"actor": actor})

    async def resume(self, org_id: UUID, execution_id: UUID, answer: Answer, actor: str) -> Execution:
        """Answer what its agent asked; it is queued again and told the answer."""
        path = f"/executions/{execution_id}/resume"
        return await self._call("POST", path, Execution, org=org_id, body=answer, query={"actor": actor})

    async def wait(self, org_id: UUID, execution_id: UUID, timeout_seconds: float) -> Execution:
        """The execution once it is terminal, or as it stands when the time is over."""
        path = f"/executions/{execution_id}/wait"
        query = {"timeout_seconds": timeout_seconds}
        timeout = timeout_seconds + 10
        return await self._call("GET", path, Execution, org=org_id, query=query, timeout=timeout)

    async def wait_json(self, org_id: UUID, execution_id: UUID, timeout_seconds: float) -> bytes:
        """What `wait` answers, as JSON for who only passes it on."""
        path = f"/executions/{execution_id}/wait"
        query = {"timeout_seconds": timeout_seconds}
        timeout = timeout_seconds + 10
        return await self._call("GET", path, bytes, org=org_id, query=query, timeout=timeout)

    async def events(
        self,
        org_id: UUID,
        execution_id: UUID,
        after_seq: int = 0,
        limit: int = 500,
        wait_seconds: float = 0,
    ) -> list[ExecutionEvent]:
        """Stored events after a sequence number; waits for one when there is none and more can come."""
        path = f"/executions/{execution_id}/events"
        query = {"after_seq": after_seq, "limit": limit, "wait_seconds": wait_seconds}
        timeout = wait_seconds + 10
        return await self._call("GET", path, list[ExecutionEvent], org=org_id, query=query, timeout=timeout)

    async def issue_key(self, request: IssueKey) -> VirtualKey:
        """A virtual key for an instance or an execution; asking again for the same run replaces the token."""
        return await self._call("POST", "/keys", VirtualKey, body=request)

    async def revoke_keys(self, run_id: UUID) -> None:
        """Make the keys of a process worthless."""
        await self._call("DELETE", f"/keys/{run_id}", None)

    async def job_finished(self, report: JobFinished) -> None:
        """Complete the attempt a job ran for; repeating the report is harmless."""
        await self._call("POST", f"/executions/{report.execution_id}/job", None, body=report)
