"""
Conversations: where the last request of an execution ended, so that the next is only looked at from there on.

A request usually begins with the very bytes of the one before. Whether it does is one comparison of memory;
what was cut and hashed then need not be again, and storing a call costs what is new in it.
"""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

HEAD = 256
Key = tuple[UUID, bytes]


@dataclass(frozen=True)
class Prefix:
    """A beginning that ends with a whole element of a growing list, and what it became."""

    data: bytes
    list_start: int
    before: bytes
    levels: tuple[tuple[bytes, ...], ...]


def key_of(execution_id: UUID, body: bytes) -> Key:
    """What tells conversations apart: several agents of one execution have different first instructions."""
    return execution_id, body[:HEAD]


class Conversations:
    """The latest prefixes, as many as fit into a number of bytes; for what is committed only."""

    def __init__(self, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._latest: OrderedDict[Key, Prefix] = OrderedDict()

    def get(self, key: Key) -> Prefix | None:
        """The latest prefix of a conversation."""
        return self._latest.get(key)

    def put(self, key: Key, prefix: Prefix) -> None:
        """Remember a prefix in place of the conversation's last."""
        self._forget(key)
        self._latest[key] = prefix
        self._bytes += len(prefix.data)
        while self._bytes > self._most_bytes:
            self._forget(next(iter(self._latest)))

    def _forget(self, key: Key) -> None:
        if earlier := self._latest.pop(key, None):
            self._bytes -= len(earlier.data)
