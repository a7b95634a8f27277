"""The backend as one object: what its routes ask, and what its loops call."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from backend.services.agent_changes import AgentChanges
from backend.services.agents import Agents
from backend.services.api_keys import ApiKeys
from backend.services.audit import Audit
from backend.services.audit_chain import AuditChain
from backend.services.authentication import Authentication
from backend.services.bundles import Bundles
from backend.services.dashboard import Dashboard
from backend.services.executions import Executions
from backend.services.idempotency import Idempotency
from backend.services.invitations import Invitations
from backend.services.limits import Limits
from backend.services.live_door import LiveDoor
from backend.services.mcp_servers import McpServers
from backend.services.members import Members
from backend.services.node_view import Nodes
from backend.services.organisations import Organisations
from backend.services.own_account import OwnAccount
from backend.services.passwords import Passwords
from backend.services.service_accounts import ServiceAccounts
from backend.services.service_table import ServiceTable
from backend.services.sessions import Sessions
from backend.services.tickets import Tickets
from backend.services.time_travel import TimeTravel
from backend.services.waking import Waking
from backend.settings import BackendSettings
from backend.stores.idempotency_store import IdempotencyStore
from backend.stores.lockout_store import LockoutStore
from backend.stores.password_reset_store import PasswordResetStore
from backend.stores.session_store import SessionStore
from services.chassis.leases import Fence
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.control_brain import ControlBrainClient
from services.contracts.event_processor import EventProcessorClient
from services.contracts.log_processor import LogProcessorClient
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.contracts.metrics_collector import MetricsCollectorClient
from services.contracts.spending import SpendingClient
from services.contracts.tools import ToolsClient


@dataclass(frozen=True)
class Clients:
    """The services that routes ask directly, once the caller's permission is known."""

    brain: ControlBrainClient
    logs: LogProcessorClient
    metrics: MetricsCollectorClient
    events: EventProcessorClient
    observability: AgentObservabilityClient
    memory: MemoryVectorEngineClient
    spending: SpendingClient
    tools: ToolsClient


@dataclass(frozen=True)
class Sweepable:
    """Tables that keep things for a while."""

    sessions: SessionStore
    lockouts: LockoutStore
    resets: PasswordResetStore
    idempotency: IdempotencyStore


@dataclass(frozen=True)
class Surface:
    """What people see of the platform itself: its table of services, the dashboard, and the live door."""

    services: ServiceTable
    dashboard: Dashboard
    live: LiveDoor


@dataclass(frozen=True)
class Backend:
    """Everything the routes need."""

    settings: BackendSettings
    authentication: Authentication
    sessions: Sessions
    own_account: OwnAccount
    api_keys: ApiKeys
    service_accounts: ServiceAccounts
    organisations: Organisations
    members: Members
    invitations: Invitations
    passwords: Passwords
    audit: Audit
    audit_chain: AuditChain
    limits: Limits
    idempotency: Idempotency
    agents: Agents
    changes: AgentChanges
    executions: Executions
    mcp_servers: McpServers
    time_travel: TimeTravel
    bundles: Bundles
    nodes: Nodes
    surface: Surface
    tickets: Tickets
    waking: Waking
    clients: Clients
    sweepable: Sweepable
    accepted_keys: Mapping[str, str]

    async def agent_of_execution(self, org_id: UUID, execution_id: UUID) -> UUID:
        """Whose execution it is."""
        return (await self.executions.get(org_id, execution_id)).agent_id

    async def wake_brain(self) -> None:
        """Have the brain look at what changed."""
        await self.waking.wake()

    async def read_agents(self) -> None:
        """Read the agents that requests asked for."""
        await self.agents.readings.flush()

    async def chain_audit(self, fence: Fence) -> None:
        """Chain the audit records written since the last time."""
        await self.audit_chain.extend(fence)

    async def note_used_keys(self) -> None:
        """Store when keys were last used."""
        await self.authentication.note_used_keys()

    async def close(self) -> None:
        """Store what is only remembered, and end what runs beside the loop."""
        await self.note_used_keys()
        self.passwords.close()

    async def bury(self, fence: Fence) -> None:
        """Destroy what deleted agents left in the vault."""
        await self.agents.bury()

    async def sweep(self, fence: Fence) -> None:
        """Forget what is no longer needed."""
        await self.sweepable.sessions.sweep()
        await self.sweepable.lockouts.sweep()
        await self.sweepable.resets.sweep()
        await self.sweepable.idempotency.sweep()
