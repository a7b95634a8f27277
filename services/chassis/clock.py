"""The one source of time; tests set it, services never read the system clock themselves."""

import asyncio
import time
from datetime import UTC, datetime


class Clock:
    """Real time: the wall clock for stamps, the monotonic one for durations."""

    def now(self) -> datetime:
        """This moment, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences mean something."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(seconds)
