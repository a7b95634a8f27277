"""Asking every node what its instances use, and answering with an agent's series."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from services.chassis.database import Database
from services.chassis.errors import Invalid, PlatformError, Unavailable, UpstreamTimeout
from services.chassis.leases import Fence
from services.contracts.executor import ExecutorClient, InstanceStats
from services.contracts.metrics_collector import AgentMetrics
from services.contracts.node_manager import NodeManagerClient
from services.contracts.nodes import Node, NodeState
from services.metrics_collector.settings import MetricsSettings
from services.metrics_collector.store import SampleStore
from services.metrics_collector.totals import Totals

log = structlog.get_logger()

MOST_POINTS = 2_000
ExecutorAt = Callable[[str], ExecutorClient]


class Samples:
    """Collects samples and answers with series."""

    def __init__(
        self,
        db: Database,
        store: SampleStore,
        nodes: NodeManagerClient,
        executor_at: ExecutorAt,
        totals: Totals,
        settings: MetricsSettings,
    ) -> None:
        self._db = db
        self._store = store
        self._nodes = nodes
        self._executor_at = executor_at
        self._totals = totals
        self._settings = settings
        self._silent: set[UUID] = set()

    async def collect(self, fence: Fence) -> None:
        """Ask every ready node at once; a silent one costs only its own samples."""
        try:
            nodes = [node for node in await self._nodes.nodes() if node.state is NodeState.READY]
        except Unavailable as error:
            log.info("samples.postponed", reason=error.detail)
            return
        answers = await asyncio.gather(*(self._ask(node) for node in nodes))
        samples = [sample for answer in answers if answer is not None for sample in answer]
        if samples:
            await self._store.add(samples)
        self._totals.set(samples, sum(answer is None for answer in answers))

    async def agent_metrics(
        self, org_id: UUID, agent_id: UUID, since_seconds: int, step_seconds: int
    ) -> AgentMetrics:
        """The agent's series over the last `since_seconds`."""
        if since_seconds > step_seconds * MOST_POINTS:
            raise Invalid(f"since_seconds may be at most {MOST_POINTS} times step_seconds")
        points = await self._store.series(org_id, agent_id, since_seconds, step_seconds)
        return AgentMetrics(agent_id=agent_id, step_seconds=step_seconds, points=points)

    async def forget(self, fence: Fence) -> None:
        """Delete samples older than the retention, a few thousand at a time."""
        deleted = self._settings.retention_batch
        while deleted >= self._settings.retention_batch:
            async with self._db.system() as connection:
                await fence.check(connection)
                deleted = await self._store.forget(
                    connection, self._settings.retention_days, self._settings.retention_batch
                )

    async def _ask(self, node: Node) -> list[InstanceStats] | None:
        try:
            async with asyncio.timeout(self._settings.node_timeout_seconds):
                answer = await self._executor_at(node.executor_url).stats()
        except (PlatformError, TimeoutError) as error:
            if node.node_id not in self._silent:
                self._silent.add(node.node_id)
                log.warning("node.silent", node=node.name, reason=str(error) or UpstreamTimeout.code)
            return None
        if node.node_id in self._silent:
            self._silent.discard(node.node_id)
            log.info("node.answers_again", node=node.name)
        return answer
