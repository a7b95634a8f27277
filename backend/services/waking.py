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


class Waking:
    """Collects agents that changed, and asks the brain to look at them."""

    def __init__(self, brain: ControlBrainClient) -> None:
        self._brain = brain
        self._changed: dict[UUID, str] = {}
        self.waiting = asyncio.Event()

    def soon(self, agent_id: UUID, reason: str) -> None:
        """Have the brain look at an agent."""
        self._changed[agent_id] = reason
        self.waiting.set()

    async def wake(self) -> None:
        """Ask for every agent that changed; give up on all when the brain does not answer."""
        while self._changed:
            changed, self._changed = self._changed, {}
            for agent_id, reason in changed.items():
                try:
                    await self._brain.wake(agent_id, reason)
                except Unavailable as error:
                    log.info("brain.not_woken", agents=len(changed), reason=error.detail)
                    return
                except PlatformError as error:
                    log.warning("brain.refused_waking", agent_id=str(agent_id), reason=error.detail)
