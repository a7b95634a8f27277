"""
Searching: by what steps are, by the steps before them, and by text.

There is no index of words, which would take more room than all that is stored. A text is looked for in what
each step adds: its answer, and of its request the parts that the request before did not have. Parts that many
steps share are unpacked once. One call reads so many steps and bytes, and its cursor goes on from there.
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import orjson

from services.agent_observability.bodies import Bodies
from services.agent_observability.codec import Codec
from services.agent_observability.completions import completion_of
from services.agent_observability.recipes import BYTES, LITERAL, assembled, operations
from services.agent_observability.search_store import SearchStore
from services.agent_observability.store import step_of
from services.chassis.database import Row
from services.contracts.step_search import FoundSteps, SearchSteps, StepMatch
from services.contracts.steps import Step

READ_AT_ONCE = 100
MOST_READ = 2_000
MOST_BYTES = 64 * 1024 * 1024
AROUND = 80


class _Hit(NamedTuple):
    match: StepMatch
    id: UUID


class Search:
    """Finds steps, a bounded piece of the journal in each call."""

    def __init__(self, store: SearchStore, bodies: Bodies, codec: Codec) -> None:
        self._store = store
        self._bodies = bodies
        self._codec = codec

    async def search(self, org_id: UUID, wanted: SearchSteps) -> FoundSteps:
        """Steps that match, newest first; the cursor goes on where this call stopped looking."""
        floor = await self._store.floor(org_id, wanted) if wanted.execution_id is None else None
        if wanted.text is None:
            found = await self._store.find(org_id, wanted, floor, wanted.limit + 1)
            more = len(found) > wanted.limit
            shown = found[: wanted.limit]
            matches = await self._matches(org_id, shown)
            end = shown[-1][0] if more else floor
            return FoundSteps(items=matches, next_cursor=str(end) if end else None)
        return await self._with_text(org_id, wanted, floor, wanted.text)

    async def _matches(self, org_id: UUID, found: Sequence[tuple[UUID, list[UUID]]]) -> list[StepMatch]:
        ids = {each for step_id, before in found for each in (step_id, *before)}
        steps = {row["id"]: step_of(row) for row in await self._store.by_id(org_id, list(ids))} if ids else {}
        return [
            StepMatch(step=steps[step_id], after=[steps[each] for each in before])
            for step_id, before in found
            if step_id in steps
        ]

    async def _with_text(
        self, org_id: UUID, wanted: SearchSteps, floor: UUID | None, text: str
    ) -> FoundSteps:
        needle, items, position, read, size = Needle(text), list[StepMatch](), wanted, 0, 0
        while True:
            found = await self._store.find(org_id, position, floor, READ_AT_ONCE)
            rows = await self._store.by_id(org_id, [step_id for step_id, _ in found]) if found else []
            excerpts, unpacked = await self._excerpts(org_id, rows, needle)
            read, size = read + len(rows), size + unpacked
            for match in await self._matches(org_id, [each for each in found if each[0] in excerpts]):
                items.append(match.model_copy(update={"excerpt": excerpts[match.step.id]}))
                if len(items) == wanted.limit:
                    return FoundSteps(items=items, next_cursor=str(match.step.id))
            if len(found) < READ_AT_ONCE:
                return FoundSteps(items=items, next_cursor=str(floor) if floor else None)
            position = wanted.model_copy(update={"cursor": found[-1][0]})
            if read >= MOST_READ or size >= MOST_BYTES:
                return FoundSteps(items=items, next_cursor=str(found[-1][0]))

    async def _excerpts(
        self, org_id: UUID, rows: Sequence[Row], needle: "Needle"
    ) -> tuple[dict[UUID, str], int]:
        found: dict[UUID, str] = {}
        size = 0
        for epoch in sorted({row["epoch"] for row in rows}):
            reading = _Reading(self._bodies, self._codec, org_id, epoch, needle)
            some = [row for row in rows if row["epoch"] == epoch]
            for row, excerpt in zip(some, await reading.excerpts(some), strict=True):
                if excerpt is not None:
                    found[row["id"]] = excerpt
            size += reading.size
        return found, size


class Needle:
    """A text as it may stand in a body: as it is, or as JSON writes it."""

    def __init__(self, text: str) -> None:
        forms = {text.encode(), orjson.dumps(text)[1:-1], json.dumps(text)[1:-1].encode()}
        self._pattern = re.compile(b"|".join(map(re.escape, sorted(forms))), re.IGNORECASE)

    def excerpt(self, body: bytes) -> str | None:
        """The text with what stands around it; null when it is not there."""
        match = self._pattern.search(body)
        if match is None:
            return None
        start, end = max(0, match.start() - AROUND), match.end() + AROUND
        return body[start:end].decode("utf-8", "replace").strip("\ufffd")


class _Reading:
    """Some steps of one week while they are read."""

    def __init__(self, bodies: Bodies, codec: Codec, org_id: UUID, epoch: int, needle: Needle) -> None:
        self._bodies = bodies
        self._codec = codec
        self._place = (org_id, epoch)
        self._needle = needle
        self._known: dict[bytes, str | None] = {}
        self.size = 0

    async def excerpts(self, rows: Sequence[Row]) -> list[str | None]:
        unpack = self._codec.unpack
        requests = [unpack(row["request"]) for row in rows]
        before = [unpack(row["request_before"]) if row["request_before"] else b"" for row in rows]
        responses = [unpack(row["response"]) for row in rows]
        nodes = await self._bodies.nodes(*self._place, [*requests, *before, *responses])
        new = [
            _parts(request, nodes) - _parts(earlier, nodes)
            for request, earlier in zip(requests, before, strict=True)
        ]
        of_answers = [_parts(each, nodes) for each in responses]
        digests = {part[1] for parts in (*new, *of_answers) for part in parts if part[0] != LITERAL}
        blobs = await self._bodies.fetched(*self._place, digests)
        self.size += sum(map(len, blobs.values()))
        whole = {**nodes, **blobs}
        return [
            self._told(parts, blobs) or self._answered(response, step_of(row), whole)
            for parts, response, row in zip(new, responses, rows, strict=True)
        ]

    def _told(self, parts: set[tuple[int, bytes]], blobs: dict[bytes, bytes]) -> str | None:
        for kind, data in parts:
            if data not in self._known:
                self._known[data] = self._needle.excerpt(data if kind == LITERAL else blobs[data])
            if found := self._known[data]:
                return found
        return None

    def _answered(self, recipe: bytes, step: Step, blobs: dict[bytes, bytes]) -> str | None:
        body = assembled(recipe, blobs.__getitem__)
        if found := self._needle.excerpt(body):
            return found
        # In a stream the words of an answer lie apart.
        message = completion_of(body) if step.streamed else None
        return self._needle.excerpt(message.text.encode()) if message else None


def _parts(recipe: bytes, nodes: dict[bytes, bytes]) -> set[tuple[int, bytes]]:
    """The literal bytes of a recipe and the blobs of bytes it leads to."""
    found: set[tuple[int, bytes]] = set()
    for kind, _, data in operations(recipe):
        if kind in {LITERAL, BYTES}:
            found.add((kind, data))
        else:
            found |= _parts(nodes[data], nodes)
    return found
