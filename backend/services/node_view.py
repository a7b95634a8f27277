"""The nodes of the platform, as node-manager tells them, remembered for a few seconds."""

from uuid import UUID

import structlog

from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.contracts.node_manager import Cordon, NodeManagerClient
from services.contracts.nodes import Node

log = structlog.get_logger()

REMEMBERED_SECONDS = 5.0


class Nodes:
    """Lists and cordons nodes."""

    def __init__(self, client: NodeManagerClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: list[Node] = []
        self._known_until = float("-inf")

    async def listed(self) -> list[Node]:
        """Every node."""
        return await self._client.nodes()

    async def cordon(self, node_id: UUID, cordon: Cordon) -> Node:
        """Stop or resume placing instances on a node."""
        self._known_until = float("-inf")
        return await self._client.cordon(node_id, cordon)

    async def known(self) -> list[Node]:
        """The nodes as of a few seconds ago; those known last while node-manager does not answer."""
        if self._clock.monotonic() >= self._known_until:
            try:
                self._known = await self._client.nodes()
            except Unavailable as error:
                log.info("nodes.unknown", reason=error.detail)
            # An empty answer is not remembered: the first node is about to register.
            if self._known:
                self._known_until = self._clock.monotonic() + REMEMBERED_SECONDS
        return self._known
