"""Which brain leads: the fence of the last tick, and what may be done with it from outside the loop."""

from services.chassis.errors import Unavailable
from services.chassis.leases import Fence


class Leadership:
    """Remembers the fence that the loop was last given; the database refuses it once it is stale."""

    def __init__(self) -> None:
        self.fence: Fence | None = None

    def take(self, fence: Fence) -> bool:
        """Note the fence of this tick; true when it is a new one."""
        new = fence != self.fence
        self.fence = fence
        return new

    def lose(self) -> None:
        """The database said that another leads."""
        self.fence = None

    def required(self) -> Fence:
        """The fence; `Unavailable` on a standby."""
        if self.fence is None:
            raise Unavailable("this brain is not the leader; ask again", retry_after=1)
        return self.fence
