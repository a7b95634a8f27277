"""Keeping: room for the coming weeks, and none for those whose time is over."""

from datetime import timedelta

from services.agent_observability.epoch_store import EpochStore
from services.agent_observability.epochs import epoch_at
from services.agent_observability.settings import JournalSettings
from services.chassis.clock import Clock

WEEKS_AHEAD = 2


class Keeping:
    """Makes the coming weeks' partitions and drops the old ones."""

    def __init__(self, epochs: EpochStore, settings: JournalSettings, clock: Clock) -> None:
        self._epochs = epochs
        self._settings = settings
        self._clock = clock

    async def prepare(self) -> None:
        """Have partitions ready before the first step of a week comes."""
        present = set(await self._epochs.weeks())
        now = epoch_at(self._clock.now().timestamp())
        for week in range(now, now + WEEKS_AHEAD + 1):
            if week not in present:
                await self._epochs.open(week)

    async def drop_old(self) -> list[int]:
        """Drop each week whose steps are all older than they are kept; returns the weeks."""
        if not self._settings.retention_days:
            return []
        horizon = self._clock.now() - timedelta(days=self._settings.retention_days)
        # A week is over when its last second lies before the horizon.
        before = epoch_at(horizon.timestamp())
        old = [week for week in await self._epochs.weeks() if week < before]
        dropped = [week for week in old if not await self._epochs.has_since(week, horizon)]
        for week in dropped:
            await self._epochs.drop(week)
        await self._epochs.clear_rest(before - 1, horizon)
        return dropped
