"""
Waking the brain after a change, beside the answer and not before it.

The brain compares desired with actual at every tick anyway, so a brain that does not answer costs only time.
"""

import asyncio
from uuid import UUID

import structlog

from services.chassis.errors import PlatformError, Unavailable
from services.contracts.control_brain import ControlBrainClient

log = structlog.get_logger()

RETRY_SECONDS = 1.0
MOST_WAITING = 1_000


class Waking:
    """Collects agents that changed, and asks the brain to look at them."""

    def __init__(self, brain: ControlBrainClient) -> None:
        self._brain = brain
        self._changed: dict[UUID, str] = {}
        self.waiting = asyncio.Event()

    def soon(self, agent_id: UUID, reason: str) -> None:
        """Have the brain look at an agent; beyond a thousand its own tick is as quick."""
        if len(self._changed) < MOST_WAITING:
            self._changed[agent_id] = reason
            self.waiting.set()

    async def wake(self) -> None:
        """Ask for every agent that changed; a brain that does not answer is asked once a second."""
        while self._changed:
            agent_id = next(iter(self._changed))
            reason = self._changed.pop(agent_id)
            try:
                await self._brain.wake(agent_id, reason)
            except Unavailable as error:
                log.info("brain.not_woken", agents=len(self._changed) + 1, reason=error.detail)
                self._changed.setdefault(agent_id, reason)
                await asyncio.sleep(RETRY_SECONDS)
            except PlatformError as error:
                log.warning("brain.refused_waking", agent_id=str(agent_id), reason=error.detail)
