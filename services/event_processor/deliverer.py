"""
Delivering: signed, to public addresses only, tried again by schedule.

Rows are the truth: what is due is claimed with a lease, tried, and recorded. Whoever dies in between lets the
lease run out and another tries again, so a receiver may hear a message twice and tells by `webhook-id`.
"""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog

from services.chassis.clock import Clock
from services.chassis.errors import PlatformError, Unavailable, UnsafeUrl, UpstreamTimeout
from services.chassis.loops import end
from services.chassis.safe_http import Answer, SafeSession
from services.contracts.secrets_manager import SecretsManagerClient
from services.contracts.webhooks import DeliveryState, DisabledReason
from services.event_processor.delivery_store import DeliveryStore, Due, Outcome
from services.event_processor.settings import WebhookSettings
from services.event_processor.signing import headers, parse_schedule, retry_after, wait_before
from services.event_processor.webhooks import secret_path

log = structlog.get_logger()

GONE = 410
# Statuses by which an endpoint asks for fewer calls (Standard Webhooks, "Retry-After and load").
SLOW_DOWN = frozenset({429, 502, 503, 504})
LONGEST_ERROR = 300
MOST_SECRETS_HELD = 1000


class Deliverer:
    """Tries what is due, many endpoints at once and few deliveries of each."""

    def __init__(
        self,
        deliveries: DeliveryStore,
        vault: SecretsManagerClient,
        session: SafeSession,
        settings: WebhookSettings,
        clock: Clock,
    ) -> None:
        self._deliveries = deliveries
        self._vault = vault
        self._session = session
        self._settings = settings
        self._schedule = parse_schedule(settings.schedule)
        self._clock = clock
        self._secrets: dict[tuple[UUID, int], str] = {}

    async def deliver(self) -> None:
        """Try everything that is due now; a slow endpoint delays its own deliveries only."""
        flying: dict[asyncio.Task[None], UUID] = {}
        try:
            while True:
                for due in await self._claim(flying):
                    flying[asyncio.create_task(self._try(due))] = due.endpoint_id
                if not flying:
                    return
                done, _ = await asyncio.wait(flying, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del flying[task]
                    task.result()
        finally:
            await end(list(flying)) if flying else None

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def _claim(self, flying: dict[asyncio.Task[None], UUID]) -> list[Due]:
        free = self._settings.concurrency - len(flying)
        if free <= 0:
            return []
        each = self._settings.concurrency_each
        busy = [endpoint for endpoint, count in Counter(flying.values()).items() if count >= each]
        return await self._deliveries.claim(free, each, busy, self._settings.lease_seconds)

    async def _try(self, due: Due) -> None:
        started, before = self._clock.now(), self._clock.monotonic()
        try:
            signed = await self._signed(due, started)
            answer = await self._send(due, signed)
            duration_ms = round((self._clock.monotonic() - before) * 1000)
            await self._deliveries.record(due, await self._outcome(due, started, duration_ms, answer))
        except PlatformError as failure:
            # The vault or the database is away, which is no fault of the endpoint's: the lease runs out and
            # the delivery is tried again, twice rather than never.
            log.warning("webhook.postponed", webhook_id=str(due.endpoint_id), reason=failure.detail)
        except Exception:
            # One delivery that cannot be handled must not end the tries of the others.
            log.exception("webhook.crashed", webhook_id=str(due.endpoint_id), event_id=str(due.event_id))

    async def _send(self, due: Due, signed: dict[str, str]) -> Answer | str:
        """The answer, or why there was none."""
        try:
            return await self._session.fetch(
                "POST",
                due.url,
                headers={"Content-Type": "application/json", **signed},
                body=due.body.encode(),
                most_bytes=self._settings.most_answer_bytes,
            )
        except (UnsafeUrl, Unavailable, UpstreamTimeout) as failure:
            return failure.detail[:LONGEST_ERROR]

    async def _signed(self, due: Due, now: datetime) -> dict[str, str]:
        generations = [due.generation, due.generation - 1] if due.overlapping else [due.generation]
        keys = [await self._secret(due, generation) for generation in generations]
        return headers(keys, str(due.event_id), int(now.timestamp()), due.body.encode())

    async def _secret(self, due: Due, generation: int) -> str:
        """A generation's secret; it never changes, so it is held."""
        key = (due.endpoint_id, generation)
        if key not in self._secrets:
            if len(self._secrets) >= MOST_SECRETS_HELD:
                self._secrets.clear()
            revealed = await self._vault.reveal(due.org_id, secret_path(due.endpoint_id, generation))
            self._secrets[key] = revealed.value
        return self._secrets[key]

    async def _outcome(self, due: Due, started: datetime, duration_ms: int, answer: Answer | str) -> Outcome:
        """What follows from a try."""
        status, error = (None, answer) if isinstance(answer, str) else (answer.status, None)
        tried = Outcome(started, duration_ms, status, error, DeliveryState.FAILED)
        if status is not None and 200 <= status < 300:
            return replace(tried, state=DeliveryState.DELIVERED)
        if status == GONE:
            return replace(tried, disable=DisabledReason.GONE)
        pause = None
        if not isinstance(answer, str) and status in SLOW_DOWN:
            pause = retry_after(answer.headers.get("Retry-After"), self._clock.now())
        if await self._deliveries.failing_longer(due, self._settings.disable_after_seconds):
            return replace(tried, disable=DisabledReason.FAILING)
        wait = wait_before(self._schedule, due.position + 1, random.random())  # noqa: S311
        if wait is None:
            return replace(tried, pause_seconds=pause)
        wait = max(wait, pause or 0)
        return replace(tried, state=DeliveryState.PENDING, wait_seconds=wait, pause_seconds=pause)
