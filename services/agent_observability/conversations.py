"""
Conversations: where the last request of an execution ended, so that the next is only looked at from there on.

A request usually begins with the very bytes of the one before. Whether it does is one comparison of memory;
what was cut and hashed then need not be again, and storing a call costs what is new in it. A conversation
that nobody has gone on with for a while is forgotten: to cut it once more costs milliseconds.
"""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

HEAD = 256
IDLE_SECONDS = 30.0
# Of a key, a prefix and their places in the dictionary, beside the bytes they hold.
_OVERHEAD = 1_024
Key = tuple[UUID, bytes]


@dataclass(frozen=True)
class Prefix:
    """A beginning that ends with a whole element of a growing list, and what it became."""

    data: bytes
    list_start: int
    before: bytes
    levels: tuple[tuple[bytes, ...], ...]

    @property
    def bytes_held(self) -> int:
        """About what it takes in memory."""
        levels = sum(len(entry) + 64 for level in self.levels for entry in level)
        return len(self.data) + len(self.before) + levels + _OVERHEAD


def key_of(execution_id: UUID, body: bytes) -> Key:
    """What tells conversations apart: several agents of one execution have different first instructions."""
    return execution_id, body[:HEAD]


class Conversations:
    """The latest prefixes, as many as fit into a number of bytes; for what is committed only."""

    def __init__(self, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        # The one that was gone on with longest ago comes first.
        self._latest: OrderedDict[Key, tuple[Prefix, float]] = OrderedDict()

    def get(self, key: Key) -> Prefix | None:
        """The latest prefix of a conversation."""
        found = self._latest.get(key)
        return found[0] if found else None

    def put(self, key: Key, prefix: Prefix, now: float) -> None:
        """Remember a prefix in place of the conversation's last; `now` in seconds of a monotonic clock."""
        self._forget(key)
        self._latest[key] = prefix, now
        self._bytes += prefix.bytes_held
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._latest)))

    def forget_idle(self, now: float) -> None:
        """Forget the conversations that nobody went on with for `IDLE_SECONDS`."""
        while self._latest:
            key, (_, since) = next(iter(self._latest.items()))
            if now - since < IDLE_SECONDS:
                return
            self._forget(key)

    def _forget(self, key: Key) -> None:
        if earlier := self._latest.pop(key, None):
            self._bytes -= earlier[0].bytes_held
