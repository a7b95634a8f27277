"""Declaration of the backend."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from backend.identity import IdentityStores, build_identity
from backend.logic import Backend, Clients, Surface, Sweepable
from backend.middleware.edge import Edge
from backend.middleware.internal import Internal
from backend.middleware.pages import Pages
from backend.routers import ROUTERS, open_paths
from backend.services.agent_changes import AgentChanges
from backend.services.agents import Agents
from backend.services.audit import Audit
from backend.services.audit_chain import AuditChain
from backend.services.bundles import MOST_BYTES, Bundles
from backend.services.dashboard import Dashboard
from backend.services.executions import Executions
from backend.services.idempotency import Idempotency
from backend.services.limits import Limits
from backend.services.live_door import LiveDoor
from backend.services.mcp_servers import McpServers
from backend.services.node_view import Nodes
from backend.services.rate_limit import RateLimit
from backend.services.service_table import ServiceTable
from backend.services.tickets import Tickets
from backend.services.time_travel import TimeTravel
from backend.services.waking import Waking
from backend.settings import BackendSettings
from backend.stores.agent_store import AgentStore
from backend.stores.audit_chain_store import AuditChainStore
from backend.stores.audit_store import AuditStore
from backend.stores.bundle_store import BundleStore
from backend.stores.idempotency_store import IdempotencyStore
from backend.tokens import AccessTokens
from services.chassis.resources import Resources
from services.chassis.service import Service, every
from services.contracts.agent_gateway import AgentGatewayClient
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.control_brain import ControlBrainClient
from services.contracts.event_processor import EventProcessorClient
from services.contracts.log_processor import LogProcessorClient
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.contracts.metrics_collector import MetricsCollectorClient
from services.contracts.node_manager import NodeManagerClient
from services.contracts.secrets_manager import SecretsManagerClient
from services.contracts.spending import SpendingClient
from services.contracts.time_travel import TimeTravelClient
from services.contracts.tools import ToolsClient


def build(resources: Resources) -> Backend:
    """The backend on its stores and clients."""
    settings, db = resources.settings(BackendSettings), resources.db
    tokens = AccessTokens(settings.jwt_secret_key.get_secret_value(), settings.access_token_seconds)
    stores = IdentityStores.on(db)
    kept = Sweepable(stores.sessions, stores.lockouts, stores.resets, IdempotencyStore(db))
    identity = build_identity(db, stores, tokens, settings, resources.clock)
    clients = _clients(resources)
    waking, nodes = Waking(clients.brain), Nodes(resources.client(NodeManagerClient), resources.clock)
    agents, changes, bundles = _agents(resources, nodes, waking)
    executions = Executions(agents, resources.client(AgentGatewayClient))
    return Backend(
        settings=settings,
        authentication=identity.authentication,
        sessions=identity.sessions,
        own_account=identity.own_account,
        api_keys=identity.api_keys,
        service_accounts=identity.service_accounts,
        organisations=identity.organisations,
        members=identity.members,
        invitations=identity.invitations,
        passwords=identity.passwords,
        audit=Audit(AuditStore(db)),
        audit_chain=AuditChain(db, AuditChainStore(db)),
        limits=Limits(RateLimit(resources.cache, resources.metrics), settings, resources.metrics),
        idempotency=Idempotency(kept.idempotency, tokens),
        agents=agents,
        changes=changes,
        executions=executions,
        mcp_servers=McpServers(clients.tools, resources.client(SecretsManagerClient)),
        time_travel=TimeTravel(executions, resources.client(TimeTravelClient), clients.observability),
        bundles=bundles,
        nodes=nodes,
        surface=_surface(resources, clients.brain, settings),
        tickets=Tickets(resources.cache),
        waking=waking,
        clients=clients,
        sweepable=kept,
        accepted_keys=resources.platform.accepted_keys,
    )


def _agents(resources: Resources, nodes: Nodes, waking: Waking) -> tuple[Agents, AgentChanges, Bundles]:
    db, store, bundles = resources.db, AgentStore(resources.db), BundleStore(resources.db)
    vault = resources.client(SecretsManagerClient)
    agents = Agents(db, store, bundles, vault, nodes, resources.outbox, waking, resources.clock)
    return agents, AgentChanges(db, store, agents, resources.outbox, waking), Bundles(bundles)


def _surface(resources: Resources, brain: ControlBrainClient, settings: BackendSettings) -> Surface:
    dashboard = Dashboard(settings.dashboard_directory)
    local_mode = resources.platform.data_dir is not None
    table = ServiceTable(
        brain, resources.db, resources.bus, resources.cache, dashboard, local_mode=local_mode
    )
    return Surface(table, dashboard, LiveDoor(resources))


def _clients(resources: Resources) -> Clients:
    return Clients(
        brain=resources.client(ControlBrainClient),
        logs=resources.client(LogProcessorClient),
        metrics=resources.client(MetricsCollectorClient),
        events=resources.client(EventProcessorClient),
        observability=resources.client(AgentObservabilityClient),
        memory=resources.client(MemoryVectorEngineClient),
        spending=resources.client(SpendingClient),
        tools=resources.client(ToolsClient),
    )


def front(backend: Backend, app: ASGIApp) -> ASGIApp:
    """The app behind what every request passes."""
    edge: ASGIApp = Edge(
        app,
        backend.authentication,
        backend.limits,
        backend.audit,
        open_paths(),
        large_body_paths=["/api/v1/bundles"],
    )
    origins = [origin.strip() for origin in backend.settings.cors_origins.split(",") if origin.strip()]
    if origins:
        edge = CORSMiddleware(
            edge,
            allow_origins=origins,
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[
                "ETag",
                "Location",
                "Retry-After",
                "RateLimit",
                "RateLimit-Policy",
                "X-Request-Id",
            ],
        )
    return Pages(Internal(app, edge, backend.accepted_keys), backend.surface.dashboard, backend.surface.live)


service = Service(
    name="backend",
    build=build,
    routes=ROUTERS,
    loops=[
        every(10, Backend.wake_brain, woken_by=lambda backend: backend.waking.waiting),
        every(1, Backend.read_agents, woken_by=lambda backend: backend.agents.readings.waiting),
        every(1, Backend.chain_audit, exclusive=True),
        every(30, Backend.note_used_keys),
        every(30, Backend.bury, exclusive=True),
        every(3600, Backend.sweep, exclusive=True),
    ],
    roles=["tenant", "system"],
    uses_cache=True,
    edge=True,
    public_paths=open_paths(),
    listens_as=["frontend"],
    front=front,
    stop=Backend.close,
    max_body_bytes=MOST_BYTES,
)
