"""Changing what is wanted of an agent: patch, start, stop, restart, scale, roll back, delete."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Literal
from uuid import UUID

from backend.permissions import Principal
from backend.schemas.agents import Agent, PatchAgent
from backend.services.agent_specs import check_replicas, patched_spec
from backend.services.agents import Agents
from backend.services.waking import Waking
from backend.stores.agent_store import AgentRow, AgentStore, Wanted
from services.chassis.database import Connection, Database
from services.chassis.errors import NotFound, PreconditionRequired, Stale
from services.chassis.outbox import Outbox, emit
from services.contracts.agents import AGENT_EVENTS, AgentChanged, AgentChangedData, AgentSpec

Change = Literal["patched", "started", "stopped", "restarted", "scaled", "rolled_back", "deleted"]
Decide = Callable[[Connection, AgentRow, Wanted], Awaitable[Wanted | None]]


class AgentChanges:
    """Each method is one transaction; where nothing would change it does nothing."""

    def __init__(
        self, db: Database, store: AgentStore, agents: Agents, outbox: Outbox, waking: Waking
    ) -> None:
        self._db = db
        self._store = store
        self._agents = agents
        self._outbox = outbox
        self._waking = waking

    async def patch(
        self, principal: Principal, agent_id: UUID, patch: PatchAgent, if_match: str | None
    ) -> Agent:
        """Change an agent that the caller has seen as it is; a changed spec is a new version."""
        if if_match is None:
            raise PreconditionRequired("send If-Match with the ETag of the agent you have read")
        before = await self._agents.get(principal.org_id, agent_id)
        _check_revision(if_match, before.revision)
        prepared = patched_spec(before.spec, patch, agent_id)
        check_replicas(prepared.spec, before.desired_replicas)
        if prepared.spec != before.spec:
            await self._agents.check(principal, prepared.spec)
        await self._agents.keep_secrets(principal, agent_id, prepared.secrets)

        async def decide(connection: Connection, row: AgentRow, wanted: Wanted) -> Wanted:
            if "description" in patch.model_fields_set:
                wanted = replace(wanted, description=patch.description or "")
            if prepared.spec == before.spec and not prepared.secrets:
                return wanted
            return self._with_spec(wanted, prepared.spec, row)

        return await self._change(principal, agent_id, "patched", decide, if_match, note="patched")

    async def start(self, principal: Principal, agent_id: UUID, if_match: str | None) -> Agent:
        """Want the agent running."""
        return await self._want_state(principal, agent_id, "running", "started", if_match)

    async def stop(self, principal: Principal, agent_id: UUID, if_match: str | None) -> Agent:
        """Want the agent stopped."""
        return await self._want_state(principal, agent_id, "stopped", "stopped", if_match)

    async def restart(self, principal: Principal, agent_id: UUID, if_match: str | None) -> Agent:
        """Want every instance replaced by a fresh one."""

        async def decide(_: Connection, row: AgentRow, wanted: Wanted) -> Wanted:
            return replace(wanted, desired_state="running", new_generation=True)

        return await self._change(principal, agent_id, "restarted", decide, if_match)

    async def scale(self, principal: Principal, agent_id: UUID, replicas: int, if_match: str | None) -> Agent:
        """Want another number of instances."""

        async def decide(_: Connection, row: AgentRow, wanted: Wanted) -> Wanted | None:
            check_replicas(AgentSpec.model_validate(row.spec), replicas)
            return replace(wanted, desired_replicas=replicas) if replicas != row.desired_replicas else None

        return await self._change(principal, agent_id, "scaled", decide, if_match)

    async def roll_back(
        self, principal: Principal, agent_id: UUID, version: int, if_match: str | None
    ) -> Agent:
        """Want the spec of an earlier version, as a new version; history is only added to."""

        async def decide(connection: Connection, row: AgentRow, wanted: Wanted) -> Wanted:
            spec = await self._store.version(connection, principal.org_id, agent_id, version)
            if spec is None:
                raise NotFound(f"agent {agent_id} has no version {version}")
            return self._with_spec(wanted, AgentSpec.model_validate(spec), row)

        note = f"rolled back to {version}"
        return await self._change(principal, agent_id, "rolled_back", decide, if_match, note=note)

    async def delete(self, principal: Principal, agent_id: UUID, if_match: str | None) -> None:
        """Want the agent gone; its instances stop, then its secrets are destroyed."""
        async with self._db.tenant(principal.org_id) as connection:
            row = await self._locked(connection, principal.org_id, agent_id, if_match)
            await self._store.delete(connection, principal.org_id, agent_id)
            await emit(connection, AGENT_EVENTS, _event(principal, row, "deleted", row.version, 0))
        self._announce(agent_id, "deleted")

    async def _want_state(
        self,
        principal: Principal,
        agent_id: UUID,
        state: Literal["running", "stopped"],
        change: Change,
        if_match: str | None,
    ) -> Agent:
        async def decide(_: Connection, row: AgentRow, wanted: Wanted) -> Wanted | None:
            return replace(wanted, desired_state=state) if row.desired_state != state else None

        return await self._change(principal, agent_id, change, decide, if_match)

    async def _change(
        self,
        principal: Principal,
        agent_id: UUID,
        change: Change,
        decide: Decide,
        if_match: str | None,
        note: str = "",
    ) -> Agent:
        async with self._db.tenant(principal.org_id) as connection:
            row = await self._locked(connection, principal.org_id, agent_id, if_match)
            as_is = Wanted(
                row.description, row.spec, row.version, row.desired_state, row.desired_replicas, False
            )
            wanted = await decide(connection, row, as_is)
            if wanted is not None and wanted != as_is:
                await self._store.write(connection, principal.org_id, agent_id, wanted)
                if wanted.version != row.version:
                    await self._store.add_version(
                        connection, principal.org_id, agent_id, wanted, note, principal.actor
                    )
                event = _event(principal, row, change, wanted.version, wanted.desired_replicas)
                await emit(connection, AGENT_EVENTS, event)
        self._announce(agent_id, change)
        return await self._agents.get(principal.org_id, agent_id)

    async def _locked(
        self, connection: Connection, org_id: UUID, agent_id: UUID, if_match: str | None
    ) -> AgentRow:
        row = await self._store.lock(connection, org_id, agent_id)
        if row is None:
            raise NotFound(f"there is no agent {agent_id}")
        if if_match is not None:
            _check_revision(if_match, row.revision)
        return row

    def _with_spec(self, wanted: Wanted, spec: AgentSpec, row: AgentRow) -> Wanted:
        return replace(
            wanted,
            spec=spec.model_dump(mode="json"),
            version=row.newest_version + 1,
            new_generation=True,
        )

    def _announce(self, agent_id: UUID, change: Change) -> None:
        self._outbox.hurry()
        self._waking.soon(agent_id, change)


def etag(agent: Agent) -> str:
    """The entity tag of an agent as it is."""
    return f'"{agent.revision}"'


def _check_revision(if_match: str, revision: int) -> None:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in if_match.split(",")}
    if not tags & {"*", str(revision)}:
        raise Stale(f"the agent has changed: it is at revision {revision} now; read it again")


def _event(principal: Principal, row: AgentRow, change: Change, version: int, replicas: int) -> AgentChanged:
    data = AgentChangedData(name=row.name, version=version, desired_replicas=replicas, change=change)
    return AgentChanged(org_id=principal.org_id, subject_id=row.id, actor=principal.actor, data=data)
