"""
Packing: a batch of steps becomes the columns of one statement, with only the blobs that may be new.

Which blobs are stored is remembered for a while, so that a conversation's history is neither packed nor sent
again. To forget is harmless, and what a transaction did not commit is never remembered. Half an hour is short
beside the day that every stored step stays at least.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

import orjson

from services.agent_observability.codec import Codec
from services.agent_observability.conversations import Conversations, Key, Prefix, key_of
from services.agent_observability.epochs import epoch_of
from services.agent_observability.splitting import Splitter
from services.agent_observability.store import COLUMNS, Written
from services.contracts.steps import NewStep

Place = tuple[int, bytes]
# TOAST's own (`TOAST_MAX_CHUNK_SIZE` for pages of 8 KB); see `step_blobs` in the migration.
CHUNK = 1_996
REMEMBERED = 20_000
REMEMBERED_SECONDS = 1_800.0
# Read as they stand in the contract; the rest is made here.
_MADE = frozenset(
    {
        *("epoch", "key", "name", "error", "model", "provider", "tokens_cached", "tokens_reasoning"),
        *("served_from", "tool_calls", "redacted", "request", "response", "response_chunks", "request_patch"),
    }
)
_PLAIN = tuple(name for name in COLUMNS if name not in _MADE)


class Stored:
    """Blobs that are known to be stored: two generations, of which the older is dropped whole."""

    def __init__(self) -> None:
        self._young: set[Place] = set()
        self._old: set[Place] = set()
        self._born = 0.0

    def __contains__(self, place: Place) -> bool:
        if place in self._young:
            return True
        if place in self._old:
            self._young.add(place)
            return True
        return False

    def add(self, places: Iterable[Place], now: float) -> None:
        """Remember what was committed."""
        if len(self._young) > REMEMBERED or now - self._born > REMEMBERED_SECONDS:
            self._old, self._young, self._born = self._young, set(), now
        self._young.update(places)


class Batch:
    """Steps and blobs as the store takes them."""

    def __init__(
        self, steps: Sequence[NewStep], stored: Stored, conversations: Conversations, codec: Codec
    ) -> None:
        self.steps = sorted(steps, key=lambda step: (anchor_of(step).int, step.seq))
        self.epochs = [epoch_of(anchor_of(step)) for step in self.steps]
        self._codec = codec
        self._stored = stored
        self._conversations = conversations
        self.prefixes: dict[Key, Prefix] = {}
        self._blobs: dict[Place, tuple[UUID, bytes]] = {}
        self.rows = [self._row(step, epoch) for step, epoch in zip(self.steps, self.epochs, strict=True)]

    @property
    def places(self) -> list[Place]:
        """Where the batch's blobs go."""
        return list(self._blobs)

    def blobs(self) -> list[Written]:
        """The blobs, in the order in which every writer takes them."""
        return [
            {
                "epoch": epoch,
                "org_id": org_id,
                "hash": UUID(bytes=digest),
                "bulk": data[: len(data) - len(data) % CHUNK] or None,
                "rest": data[len(data) - len(data) % CHUNK :],
            }
            for (epoch, digest), (org_id, data) in sorted(self._blobs.items())
        ]

    def _recipes(self, step: NewStep, epoch: int) -> tuple[bytes, bytes]:
        splitter = Splitter(step.org_id)
        response = splitter.split(step.response_bytes)
        request = self._request(splitter, step)
        for digest, data in splitter.blobs.items():
            place = (epoch, digest)
            if place not in self._blobs and place not in self._stored:
                self._blobs[place] = (step.org_id, self._codec.pack(data))
        return self._codec.pack(request), self._codec.pack(response)

    def _request(self, splitter: Splitter, step: NewStep) -> bytes:
        if step.execution_id is None:
            return splitter.split(step.request_bytes)
        key = key_of(step.execution_id, step.request_bytes)
        recipe = splitter.split(step.request_bytes, self.prefixes.get(key) or self._conversations.get(key))
        if splitter.prefix:
            self.prefixes[key] = splitter.prefix
        return recipe

    def _row(self, step: NewStep, epoch: int) -> Written:
        request, response = self._recipes(step, epoch)
        return {name: getattr(step, name) for name in _PLAIN} | {
            "epoch": epoch,
            "key": bytes.fromhex(step.key) if step.key else None,
            "tool_calls": [_clean(name) for name in step.tool_calls] or None,
            "redacted": step.redacted or None,
            "tokens_cached": step.tokens_cached or None,
            "tokens_reasoning": step.tokens_reasoning or None,
            "served_from": step.served_from if step.served_from != "live" else None,
            "request": request,
            "response": response,
            "response_chunks": self._json(step.response_chunks or None),
            "request_patch": self._json(step.request_patch),
            "name": _clean(step.name),
            "error": _clean(step.error),
            "model": _clean(step.model),
            "provider": _clean(step.provider),
        }

    def _json(self, value: object) -> bytes | None:
        return None if value is None else self._codec.pack(orjson.dumps(value))


def anchor_of(step: NewStep) -> UUID:
    """What a step is found by: its execution, or itself when it belongs to none."""
    return step.execution_id or step.id


def _clean(text: str | None) -> str | None:
    # PostgreSQL's text cannot hold U+0000; the exact bytes are in the bodies.
    return text.replace("\x00", "\ufffd") if text else text
