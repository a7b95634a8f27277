"""
The effect ledger: what changes the world is written down before it leaves, and done once.

A call is known by its execution, its content key and its ordinal. The row is committed before the call goes
out and its result with it, so an attempt that comes after a crash is answered from here. Where the row says
only that the call left, nobody knows what happened: a tool that says it is idempotent is asked again under
the same idempotency key, any other is not. A call that is under way is not cut off because its agent died:
it runs to its end, and whoever asks the same again waits for it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import orjson
import structlog

from services.agent_gateway.tools.answers import Lost, NotSent
from services.agent_gateway.tools.effect_store import (
    EffectId,
    EffectStore,
    Ending,
    KnownEffect,
    NewEffect,
)
from services.agent_gateway.tools.protocol import INTERNAL_ERROR, Json, RpcError, unfinished
from services.chassis.group_commit import GroupCommit

log = structlog.get_logger()

STOP_SECONDS = 5.0
Perform = Callable[[UUID], Awaitable[Json]]
Outcome = tuple[Json, KnownEffect | None]


class Unknown(Exception):
    """The call left once and nobody knows what it did; it is not repeated."""


class Forbidden(Exception):
    """A fork or replay asked for an irreversible tool that its source did not call."""


class Ledger:
    """Has every effect happen once."""

    def __init__(self, store: EffectStore) -> None:
        self._under_way: dict[EffectId, asyncio.Task[Outcome]] = {}
        self.beginnings: GroupCommit[NewEffect, KnownEffect | None] = GroupCommit(store.begin)
        self.endings: GroupCommit[Ending, None] = GroupCommit(store.end)

    async def known(self, new: NewEffect) -> KnownEffect | None:
        """What the ledger knows of a call before it may leave; null when nothing."""
        return await self.beginnings.add(replace(new, may_start=False))

    async def once(self, new: NewEffect, perform: Perform, *, idempotent: bool) -> Outcome:
        """
        The result, and what the ledger knew where it answered; performed unless that happened already.

        Raises `Unknown`, `Forbidden`, and whatever `perform` raises.
        """
        joined = self._under_way.get(new.id)
        if joined is not None:
            document, known = await asyncio.shield(joined)
            return document, known or KnownEffect("done", False, new.idempotency_key, document)
        # A task of its own from before the row is written: an agent that dies meanwhile leaves no row behind
        # whose call never left.
        task = asyncio.create_task(self._entered(new, perform, idempotent=idempotent))
        self._under_way[new.id] = task
        task.add_done_callback(lambda done: self._ended(new.id, done))
        return await asyncio.shield(task)

    def answered(self, effect: EffectId, attempt: int) -> None:
        """The attempt was given the result; nobody waits for this to be written."""
        self.endings.add(Ending(effect, "answered", attempt=attempt))

    async def stop(self) -> None:
        """Let calls under way end, for a while."""
        # The loops that write have been stopped already.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                while self._under_way:
                    await asyncio.wait(list(self._under_way.values()), timeout=0.05)
                    await self.beginnings.flush()
                    await self.endings.flush()
        for task in list(self._under_way.values()):
            task.cancel()

    async def _entered(self, new: NewEffect, perform: Perform, *, idempotent: bool) -> Outcome:
        known = await self.beginnings.add(new)
        if known is None:
            raise Forbidden
        if known.state == "done":
            return known.result, known
        if not known.fresh and not idempotent:
            if known.state == "started":
                await self.endings.add(Ending(new.id, "unknown"))
            raise Unknown
        return await self._perform(new.id, known.idempotency_key, perform), None

    async def _perform(self, effect: EffectId, idempotency_key: UUID, perform: Perform) -> Json:
        try:
            result = await perform(idempotency_key)
        except (NotSent, RpcError):
            await self.endings.add(Ending(effect, "released"))
            raise
        except Lost:
            await self.endings.add(Ending(effect, "unknown"))
            raise
        if unfinished(result):
            await self.endings.add(Ending(effect, "released"))
            return result
        try:
            stored = orjson.dumps(result)
        except orjson.JSONEncodeError:
            result = {"error": RpcError(INTERNAL_ERROR, "the tool's answer is nested too deeply").document()}
            stored = orjson.dumps(result)
        await self.endings.add(Ending(effect, "done", stored))
        return result

    def _ended(self, effect: EffectId, task: "asyncio.Task[Outcome]") -> None:
        self._under_way.pop(effect, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Seen here too: the agent that asked may have gone.
            log.info("effect.failed", lineage_id=str(effect.lineage_id), error=str(error)[:500])
