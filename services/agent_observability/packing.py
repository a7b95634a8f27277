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
from services.agent_observability.store import COLUMNS
from services.contracts.steps import NewStep

Place = tuple[int, bytes]
# TOAST's own (`TOAST_MAX_CHUNK_SIZE` for pages of 8 KB); see `step_blobs` in the migration.
CHUNK = 1_996
REMEMBERED = 50_000
REMEMBERED_SECONDS = 1_800.0
# Read as they stand in the contract; the rest is made here.
_PLAIN = tuple(
    name
    for name in COLUMNS
    if name
    not in {
        "epoch",
        "key",
        "tool_calls",
        "redacted",
        "request",
        "response",
        "response_chunks",
        "request_patch",
    }
    | {"name", "error", "model", "provider"}
    | {"tokens_cached", "tokens_reasoning", "served_from"}
)


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
        recipes = [self._recipes(step, epoch) for step, epoch in zip(self.steps, self.epochs, strict=True)]
        self.columns = self._columns(recipes)

    @property
    def places(self) -> list[Place]:
        """Where the batch's blobs go."""
        return list(self._blobs)

    def blobs(self) -> list[list[object]]:
        """The columns of the blobs, in the order in which every writer takes them."""
        ordered = sorted(self._blobs.items())
        return [
            [epoch for (epoch, _), _ in ordered],
            [org_id for _, (org_id, _) in ordered],
            [UUID(bytes=digest) for (_, digest), _ in ordered],
            [data[: len(data) - len(data) % CHUNK] or None for _, (_, data) in ordered],
            [data[len(data) - len(data) % CHUNK :] for _, (_, data) in ordered],
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

    def _columns(self, recipes: list[tuple[bytes, bytes]]) -> list[list[object]]:
        made: dict[str, list[object]] = {
            name: [getattr(step, name) for step in self.steps] for name in _PLAIN
        }
        made |= {
            "epoch": [*self.epochs],
            "key": [bytes.fromhex(step.key) if step.key else None for step in self.steps],
            "tool_calls": [_joined(step.tool_calls) for step in self.steps],
            "redacted": [_joined(step.redacted) for step in self.steps],
            "tokens_cached": [step.tokens_cached or None for step in self.steps],
            "tokens_reasoning": [step.tokens_reasoning or None for step in self.steps],
            "served_from": [step.served_from if step.served_from != "live" else None for step in self.steps],
            "request": [request for request, _ in recipes],
            "response": [response for _, response in recipes],
            "response_chunks": [self._json(step.response_chunks or None) for step in self.steps],
            "request_patch": [self._json(step.request_patch) for step in self.steps],
            "name": [_clean(step.name) for step in self.steps],
            "error": [_clean(step.error) for step in self.steps],
            "model": [_clean(step.model) for step in self.steps],
            "provider": [_clean(step.provider) for step in self.steps],
        }
        return [made[name] for name in COLUMNS]

    def _json(self, value: object) -> bytes | None:
        return None if value is None else self._codec.pack(orjson.dumps(value))


def anchor_of(step: NewStep) -> UUID:
    """What a step is found by: its execution, or itself when it belongs to none."""
    return step.execution_id or step.id


def _joined(names: list[str]) -> str | None:
    # A tool's name holds no line break.
    return _clean("\n".join(name.replace("\n", " ") for name in names)) if names else None


def _clean(text: str | None) -> str | None:
    # PostgreSQL's text cannot hold U+0000; the exact bytes are in the bodies.
    return text.replace("\x00", "\ufffd") if text else text
