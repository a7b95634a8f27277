"""The newest ticks of this process: under which epoch, what they did, and where their time went."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from control_brain.reconcile import Plan
from services.chassis.clock import Clock
from services.contracts.control_brain import Tick, TickPhases

# Ten minutes of a calm platform.
KEPT = 60


class TickHistory:
    """Notes one tick after the other; times are in milliseconds of the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ticks: deque[Tick] = deque(maxlen=KEPT)
        self._number = 0
        self._epoch = 0
        self._at: datetime = clock.now()
        self._started = clock.monotonic()
        self._phases: dict[str, float] = {}

    @property
    def newest_first(self) -> list[Tick]:
        """The ticks that are kept."""
        return list(reversed(self._ticks))

    @property
    def last_took_ms(self) -> float:
        """How long the last tick took; 0 before the first."""
        return self._ticks[-1].took_ms if self._ticks else 0

    def begin(self, epoch: int) -> None:
        """A tick begins, under this epoch."""
        self._number += 1
        self._epoch = epoch
        self._at, self._started = self._clock.now(), self._clock.monotonic()
        self._phases = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a phase, a field of `TickPhases` without its unit; one that fails is noted too."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._phases[f"{name}_ms"] = self._since(began)

    def end(self, agents: int, made: Plan, commands: int, error: str | None = None) -> None:
        """The tick is over."""
        self._ticks.append(
            Tick(
                number=self._number,
                epoch=self._epoch,
                at=self._at,
                took_ms=self._since(self._started),
                phases=TickPhases(**self._phases),
                agents=agents,
                drifted=made.drifted,
                commands=commands,
                error=error,
            )
        )

    def _since(self, began: float) -> float:
        return (self._clock.monotonic() - began) * 1000
