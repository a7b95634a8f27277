"""Everything about tools, put together."""

from services.agent_gateway.agent_memory import AgentMemory
from services.agent_gateway.doors import Door
from services.agent_gateway.gates import Gates
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.settings import GatewaySettings
from services.agent_gateway.spending.policies import Policies
from services.agent_gateway.tools.a2a.calls import A2aCalls
from services.agent_gateway.tools.a2a.door import A2aDoor
from services.agent_gateway.tools.a2a.tasks import Tasks
from services.agent_gateway.tools.agent_door import AgentDoor
from services.agent_gateway.tools.agent_tools import AgentTools, Executions
from services.agent_gateway.tools.approval_store import ApprovalStore
from services.agent_gateway.tools.approvals import Approvals
from services.agent_gateway.tools.carrier import Carrier
from services.agent_gateway.tools.catalogue import Catalogue
from services.agent_gateway.tools.child_store import ChildStore
from services.agent_gateway.tools.effect_store import EffectStore
from services.agent_gateway.tools.ledger import Ledger
from services.agent_gateway.tools.mcp_calls import McpCalls
from services.agent_gateway.tools.mcp_door import McpDoor
from services.agent_gateway.tools.memory_tools import MemoryTools
from services.agent_gateway.tools.providers import Providers
from services.agent_gateway.tools.server_store import ServerStore
from services.agent_gateway.tools.servers import Servers
from services.agent_gateway.tools.upstream import McpUpstream
from services.agent_gateway.tools.waiting import Waiting
from services.agent_gateway.tools.wire import Wire
from services.chassis.resources import Resources
from services.chassis.safe_http import SafeSession
from services.contracts.backend import BackendClient
from services.contracts.secrets_manager import SecretsManagerClient


class Toolbox:
    """Servers, approvals, the ledger, and the doors that agents reach them by."""

    def __init__(
        self,
        resources: Resources,
        settings: GatewaySettings,
        gates: Gates,
        policies: Policies,
        recorder: Recorder,
        waiting: Waiting,
        own_memory: AgentMemory,
    ) -> None:
        clock, db, most = resources.clock, resources.db, settings.max_call_bytes
        self._http = SafeSession(resources.egress, total_seconds=None, most_connections=1000)
        store, effects = ServerStore(db), EffectStore(db)
        wire = Wire(self._http, settings.tool_seconds, most)
        upstream = McpUpstream(wire, store, resources.client(SecretsManagerClient), clock)
        self.catalogue = Catalogue(upstream, clock)
        self.servers = Servers(store, resources.egress, clock)
        self.ledger = Ledger(effects)
        self.approvals = Approvals(ApprovalStore(db), waiting, resources.outbox)
        self.agents = AgentTools(
            resources.client(BackendClient), ChildStore(db), waiting, clock, settings.agent_depth
        )
        memory = MemoryTools(own_memory)
        providers = Providers([memory, self.agents], self.servers, self.catalogue, upstream)
        carrier = Carrier(gates, policies, effects, self.ledger, self.approvals)
        calls = McpCalls(providers, carrier, recorder, clock)
        self.doors: list[Door] = [
            McpDoor(providers, calls, most),
            AgentDoor(self.agents, carrier, recorder, clock, most),
            A2aDoor(self.agents, A2aCalls(Tasks(self.agents, waiting), carrier, recorder), clock, most),
        ]

    def serve(self, executions: Executions) -> None:
        """Run children with these executions."""
        self.agents.serve(executions)

    async def stop(self) -> None:
        """Let what is under way end, for a while, and close every connection."""
        await self.approvals.stop()
        await self.ledger.stop()
        await self._http.close()
