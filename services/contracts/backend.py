"""What the backend offers other services: the bundles agents are packed in, and whom an agent may call."""

from typing import Literal
from urllib.parse import quote
from uuid import UUID

from services.chassis.client import Client
from services.chassis.contract import Contract


class CallableAgent(Contract):
    """What an execution of an agent needs to know of it."""

    agent_id: UUID
    agent_name: str
    agent_version: int
    mode: Literal["service", "job"]
    invoke_path: str
    concurrency: int
    capture: Literal["durable", "async"]
    timeout_seconds: int
    max_attempts: int


class BackendClient(Client):
    """Speaks to the backend's internal routes."""

    service = "backend"

    async def bundle(self, org_id: UUID, digest: str) -> bytes:
        """The bytes of an uploaded bundle (tar.gz, at most 20 MB)."""
        return await self._call("GET", f"/internal/bundles/{digest}", bytes, org=org_id, timeout=60)

    async def callable_agent(self, org_id: UUID, name: str) -> CallableAgent:
        """The running agent of that name."""
        return await self._call("GET", f"/internal/agents/{quote(name, safe='')}", CallableAgent, org=org_id)
