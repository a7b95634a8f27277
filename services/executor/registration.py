"""The node's standing with the platform: what it offers, and the lease it renews to keep its singletons."""

import os
import time
from pathlib import Path

import psutil
import structlog

from services.chassis import __version__
from services.chassis.errors import Conflict, NotFound
from services.contracts.node_manager import NodeManagerClient
from services.contracts.nodes import NodeFacts, NodeLease
from services.executor.driver import DriverFacts
from services.executor.launch import LEASE
from services.executor.node_state import NodeState
from services.executor.settings import ExecutorSettings

log = structlog.get_logger()


class Registration:
    """Registers, renews, and leaves a note of each renewal for the shims, which fence themselves by it."""

    def __init__(
        self,
        nodes: NodeManagerClient,
        state: NodeState,
        settings: ExecutorSettings,
        directory: Path,
        url: str,
    ) -> None:
        self._nodes, self._state, self._settings = nodes, state, settings
        self._file = directory / LEASE
        self._url = url
        self._registered = False

    async def renew(self, facts: DriverFacts) -> NodeLease:
        """Renew the lease; register first, and again whenever node-manager does not know this node."""
        # Taken before the question: the lease may have begun any time after it.
        asked = time.clock_gettime(time.CLOCK_BOOTTIME)
        lease = await self._lease(facts)
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{asked:.3f} {lease.fence_after_seconds:.3f}")
        aside.rename(self._file)
        return lease

    async def _lease(self, facts: DriverFacts) -> NodeLease:
        if self._registered:
            try:
                return await self._nodes.renew(self._state.node_id, self._state.boot_id)
            except (NotFound, Conflict) as error:
                log.info("node.registering_again", reason=error.detail)
        lease = await self._nodes.register(self.node_facts(facts))
        self._registered = True
        return lease

    def age(self) -> float:
        """Seconds since the last renewal, over restarts of the executor; infinite where there was none."""
        try:
            return time.clock_gettime(time.CLOCK_BOOTTIME) - float(self._file.read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return float("inf")

    def node_facts(self, facts: DriverFacts) -> NodeFacts:
        """What this node offers."""
        settings = self._settings
        return NodeFacts(
            node_id=self._state.node_id,
            name=settings.node_name,
            boot_id=self._state.boot_id,
            region=settings.region,
            zone=settings.zone,
            labels=settings.labels,
            capacity_millicores=len(os.sched_getaffinity(0)) * 1000,
            capacity_bytes=int(psutil.virtual_memory().total),
            max_instances=settings.max_instances,
            drivers=[facts.name, *facts.beside],
            images=facts.images,
            runtimes=facts.runtimes,
            isolation=facts.isolation,
            enforcement=facts.enforcement,
            executor_url=self._url,
            version=__version__,
        )
