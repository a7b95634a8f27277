"""Recorded calls, found by content key and by how often that key came before; never by position."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from services.contracts.steps import RecordedCall


@dataclass(eq=False)
class Recorded:
    """A recorded call that can answer once; `own` when an earlier attempt of the same execution made it."""

    execution_id: UUID
    call: RecordedCall
    own: bool = False
    used: bool = False

    @property
    def seq(self) -> int:
        """Its number in its execution."""
        return self.call.seq


class Recording:
    """Recorded calls in their order, each of which answers one call."""

    def __init__(self, calls: Iterable[Recorded]) -> None:
        self._calls = list(calls)
        self._by_key: dict[str, deque[Recorded]] = {}
        for each in self._calls:
            if each.call.key is not None:
                self.also(each.call.key, each)

    def also(self, key: str, recorded: Recorded) -> None:
        """Have a call found by one more key, such as that of its masked request."""
        self._by_key.setdefault(key, deque()).append(recorded)

    def take(self, key: str) -> Recorded | None:
        """The first unused call with this key, used from now on."""
        waiting = self._by_key.get(key)
        while waiting:
            found = waiting.popleft()
            if not found.used:
                found.used = True
                return found
        return None

    @property
    def left(self) -> list[Recorded]:
        """What has not answered yet, in recorded order."""
        return [each for each in self._calls if not each.used]
