"""What an executor takes and tells: orders for one instance, and the inventory of its node."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract, Timestamp
from services.contracts.agents import AgentSpec, InstanceExit, InstanceState, IsolationLevel


class Order(Contract):
    """One idempotent order; a repeated `command_id` is confirmed again and does nothing."""

    command_id: str
    kind: Literal["start", "stop", "kill"]
    epoch: int = Field(description="of the brain that gave it; lower than one seen before is refused")
    instance_id: UUID
    incarnation: int = Field(description="lower than the present one is refused")
    run_id: UUID
    org_id: UUID
    agent_id: UUID
    agent_name: str
    agent_version: int
    ordinal: int = 0
    owner_kind: Literal["replica", "execution"] = "replica"
    execution_id: UUID | None = None
    attempt: int = 1
    input: Any = None
    deadline_at: Timestamp | None = None
    spec: AgentSpec
    grace_seconds: float = 30


class OrderReceipt(Contract):
    """That an order was taken; its effect shows in the inventory, not here."""

    command_id: str
    accepted: bool
    reason: str | None = None


class InstanceReport(Contract):
    """One instance as its node sees it."""

    instance_id: UUID
    org_id: UUID
    agent_id: UUID
    incarnation: int
    run_id: UUID
    owner_kind: Literal["replica", "execution"] = "replica"
    execution_id: UUID | None = None
    state: InstanceState
    ready: bool = False
    endpoint: str | None = Field(None, description="http://127.0.0.1:PORT as the gateway reaches it")
    pid: int | None = None
    isolation: IsolationLevel | None = None
    enforcement: dict[str, str] = Field(default_factory=dict)
    started_at: Timestamp | None = None
    ready_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    exit: InstanceExit | None = None


class Inventory(Contract):
    """Everything a node runs or has seen end and not yet been told to forget; `seq` grows by one."""

    node_id: UUID
    boot_id: UUID
    seq: int
    instances: list[InstanceReport]


class InventoryReceipt(Contract):
    """What the node may forget: ended processes whose end is stored."""

    forget: list[UUID] = Field(default_factory=list, description="run ids")


class InstanceStats(Contract):
    """One sample of what an instance uses."""

    org_id: UUID
    agent_id: UUID
    instance_id: UUID
    run_id: UUID
    at: Timestamp
    cpu_seconds: float = Field(description="CPU time used since the start")
    cpu_percent: float = Field(description="of one core, since the sample before")
    memory_bytes: int
    memory_limit_bytes: int
    processes: int


class Drained(Contract):
    """How many instances a drain had to end."""

    ended: int


class ExecutorClient(Client):
    """Speaks to the executor of one node: `client(ExecutorClient, at=node.executor_url)`."""

    service = "executor"

    async def order(self, order: Order) -> OrderReceipt:
        """Deliver an order; delivering it again is harmless."""
        return await self._call("POST", "/orders", OrderReceipt, body=order, timeout=5)

    async def inventory(self) -> Inventory:
        """What the node runs now."""
        return await self._call("GET", "/inventory", Inventory)

    async def drain(self, grace_seconds: float = 30) -> Drained:
        """Take no more work and end all there is; answers when it has ended."""
        query = {"grace_seconds": grace_seconds}
        timeout = grace_seconds * 1.5 + 10
        return await self._call("POST", "/drain", Drained, query=query, timeout=timeout)

    async def stats(self) -> list[InstanceStats]:
        """The newest sample of every running instance."""
        return await self._call("GET", "/stats", list[InstanceStats])
