"""
Conversations that a provider keeps: what stands behind a `previous_response_id`.

The gateway remembers the responses that passed through it, each with the id before it, so that a
conversation can be resolved from what the agent itself said and was told. It is needed where the provider
does not know the earlier response: in a replay, whose beginning was answered from the journal, and by the
scripted provider. The content key uses it too: ids are random, the conversation is not. A process that starts
again has forgotten; an execution that is replayed passes its earlier responses through the gateway again.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from services.agent_gateway.records import Holder
from services.agent_gateway.shapes import as_dicts

MOST_BYTES = 64 * 1024 * 1024
MOST_LINKS = 10_000


@dataclass(frozen=True)
class Chain:
    """A resolved conversation; `at_provider` when the provider itself gave its last response."""

    items: list[Any]
    at_provider: bool


@dataclass(frozen=True)
class _Link:
    before: str | None
    items: bytes
    at_provider: bool


class Chains:
    """Remembers responses, the oldest forgotten first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._links: OrderedDict[tuple[UUID, UUID, str], _Link] = OrderedDict()
        self._most_bytes = most_bytes
        self._bytes = 0

    def remember(
        self, holder: Holder, body: dict[str, Any], response: dict[str, Any], at_provider: bool
    ) -> None:
        """Keep what one response added to its conversation."""
        name = response.get("id")
        if not isinstance(name, str):
            return
        items = orjson.dumps([*items_of(body.get("input")), *as_dicts(response.get("output"))])
        key = (holder.org_id, holder.agent_id, name)
        if key in self._links:
            self._bytes -= len(self._links.pop(key).items)
        self._links[key] = _Link(body.get("previous_response_id"), items, at_provider)
        self._bytes += len(items)
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._links.popitem(last=False)[1].items)

    def resolve(self, holder: Holder, name: str) -> Chain | None:
        """The whole conversation up to a response; null when a part of it is not known here."""
        parts: list[list[Any]] = []
        at_provider: bool | None = None
        before: str | None = name
        while before is not None:
            link = self._links.get((holder.org_id, holder.agent_id, before))
            if link is None or len(parts) >= MOST_LINKS:
                return None
            parts.append(orjson.loads(link.items))
            at_provider = link.at_provider if at_provider is None else at_provider
            before = link.before
        return Chain([item for part in reversed(parts) for item in part], bool(at_provider))


def items_of(given: Any) -> list[Any]:
    """The items of a request's `input`."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return given if isinstance(given, list) else []


def resolved(body: dict[str, Any], chain: Chain) -> dict[str, Any]:
    """The request with its whole conversation in it."""
    rest = {name: value for name, value in body.items() if name != "previous_response_id"}
    return {**rest, "input": [*chain.items, *items_of(body.get("input"))]}
