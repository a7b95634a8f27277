"""
Agents: what is wanted of them. The brain makes it so; nothing here starts or stops a process.

Every change is one transaction: the row, its version and its event. Then the outbox is hurried and the brain
woken, both of which may fail without harm.
"""

from uuid import UUID

from backend.cursors import id_cursor, page
from backend.permissions import Principal
from backend.schemas.agents import Agent, AgentStatus, AgentVersion, DeployAgent
from backend.services.agent_specs import new_spec
from backend.services.feasibility import check_feasible
from backend.services.node_view import Nodes
from backend.services.provider_keys import vault_path, vault_prefix
from backend.services.waking import Waking
from backend.stores.agent_store import AgentStore
from backend.stores.bundle_store import BundleStore
from services.chassis.clock import Clock
from services.chassis.contract import Page
from services.chassis.database import Database
from services.chassis.errors import Forbidden, IllegalState, Invalid, NotFound, PlatformError
from services.chassis.group_commit import GroupCommit
from services.chassis.ids import new_id
from services.chassis.outbox import Outbox, emit
from services.contracts.agents import (
    AGENT_EVENTS,
    AgentDeployed,
    AgentDeployedData,
    AgentSpec,
    AgentState,
    IsolationLevel,
)
from services.contracts.secrets_manager import PutSecret, SecretsManagerClient

_CLOSE_TO_THE_MACHINE = (IsolationLevel.NONE, IsolationLevel.USER)


class Agents:
    """Creates and shows agents, and buries what deleted ones leave."""

    def __init__(
        self,
        db: Database,
        store: AgentStore,
        bundles: BundleStore,
        vault: SecretsManagerClient,
        nodes: Nodes,
        outbox: Outbox,
        waking: Waking,
        clock: Clock,
    ) -> None:
        self._db = db
        self._store = store
        self._bundles = bundles
        self._vault = vault
        self._nodes = nodes
        self._outbox = outbox
        self._waking = waking
        self._clock = clock
        # Many are asked for the same few agents at once, by everybody who runs one.
        self.readings: GroupCommit[tuple[UUID, UUID], Agent | None] = GroupCommit(store.read)

    async def deploy(self, principal: Principal, request: DeployAgent) -> Agent:
        """A new agent; its provider keys go to the vault first."""
        agent_id, now = new_id(), self._clock.now()
        prepared = new_spec(request, agent_id)
        await self.check(principal, prepared.spec)
        agent = Agent.model_construct(
            id=agent_id,
            name=request.name,
            description=request.description or "",
            status=AgentStatus(state=AgentState.PENDING),
            desired_state="running",
            desired_replicas=request.replicas,
            version=1,
            generation=1,
            revision=1,
            spec=prepared.spec,
            created_by=principal.actor,
            created_at=now,
            updated_at=now,
        )
        await self.keep_secrets(principal, agent_id, prepared.secrets)
        try:
            agent = await self._insert(principal, agent)
        except BaseException:
            if prepared.secrets:
                await self._vault.destroy(principal.org_id, vault_prefix(agent_id))
            raise
        self._outbox.hurry()
        self._waking.soon(agent_id, "deployed")
        return agent

    async def get(self, org_id: UUID, agent_id: UUID) -> Agent:
        """One agent."""
        agent = await self.readings.add((org_id, agent_id))
        if agent is None:
            raise NotFound(f"there is no agent {agent_id}")
        return agent

    async def running(self, org_id: UUID, agent_id: UUID) -> Agent:
        """One agent that takes work; `IllegalState` when it is stopped."""
        agent = await self.get(org_id, agent_id)
        if agent.desired_state != "running":
            raise IllegalState(f"agent {agent.name} is stopped; start it first")
        return agent

    async def running_named(self, org_id: UUID, name: str) -> Agent:
        """The agent of this name, if it takes work."""
        agent = await self._store.named(org_id, name)
        if agent is None:
            raise NotFound(f"there is no agent {name}")
        return await self.running(org_id, agent.id)

    async def listed(
        self,
        principal: Principal,
        *,
        name: str | None,
        state: AgentState | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Agent]:
        """Agents that the principal sees, newest first."""
        agents = await self._store.listed(
            principal.org_id, name, state, id_cursor(cursor), limit + 1, principal.agents
        )
        return page(agents, limit, lambda agent: agent.id)

    async def versions(
        self, org_id: UUID, agent_id: UUID, limit: int, cursor: str | None
    ) -> Page[AgentVersion]:
        """Versions of an agent, newest first; the cursor is the number of the last one seen."""
        await self.get(org_id, agent_id)
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
            raise Invalid("cursor is not one that this API gave out")
        versions = await self._store.versions(org_id, agent_id, int(cursor) if cursor else None, limit + 1)
        more = str(versions[limit - 1].version) if len(versions) > limit else None
        return Page(items=versions[:limit], next_cursor=more)

    async def check(self, principal: Principal, spec: AgentSpec) -> None:
        """Refuse a spec whose bundle is unknown, whose isolation is too weak, or that no node could run."""
        if spec.isolation in _CLOSE_TO_THE_MACHINE and not principal.may("nodes:write"):
            raise Forbidden(
                f"isolation {spec.isolation.value} lets an agent reach what its node reaches, so it needs "
                "the permission nodes:write; without `isolation` it gets the strongest the node has"
            )
        bundle_kind = None
        if spec.bundle is not None:
            bundle_kind = await self._bundles.kind(principal.org_id, spec.bundle)
            if bundle_kind is None:
                raise Invalid(f"there is no bundle {spec.bundle}; upload it first")
        check_feasible(spec, bundle_kind, await self._nodes.known())

    async def keep_secrets(self, principal: Principal, agent_id: UUID, secrets: dict[str, str]) -> None:
        """Put an agent's secret variables into the vault."""
        for name, value in secrets.items():
            secret = PutSecret(path=vault_path(agent_id, name), value=value, actor=principal.actor)
            await self._vault.put(principal.org_id, secret)

    async def bury(self) -> None:
        """Destroy the secrets of deleted agents once their last instance has ended."""
        for org_id, agent_id in await self._store.gone(100):
            try:
                await self._vault.destroy(org_id, vault_prefix(agent_id))
            except PlatformError:
                continue
            await self._store.purged(agent_id)

    async def _insert(self, principal: Principal, agent: Agent) -> Agent:
        deployed = AgentDeployed(
            org_id=principal.org_id,
            subject_id=agent.id,
            actor=principal.actor,
            data=AgentDeployedData(name=agent.name, version=1, desired_replicas=agent.desired_replicas),
        )
        async with self._db.tenant(principal.org_id) as connection:
            stored = await self._store.insert(
                connection, principal.org_id, agent, agent.spec.model_dump(mode="json")
            )
            await emit(connection, AGENT_EVENTS, deployed)
        return stored
