"""A data path whose provider costs money."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from aiohttp import web

from services.contracts.executions import Limits, NewExecution
from services.contracts.spending import SetBudget, SetPrice, SpendingClient
from services.embedded.testing import free_port
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually
from tests.services.agent_gateway.spending.paid_upstream import INPUT_NANO, OUTPUT_NANO, PaidUpstream

DOLLAR = 1_000_000_000
MESSAGES = [{"role": "user", "content": "Tell me something, and be neither short nor long about it."}]


@dataclass
class Paid:
    """A data path and its provider."""

    world: World
    upstream: PaidUpstream

    @property
    def spending(self) -> SpendingClient:
        return self.world.platform.client(SpendingClient)

    async def budget(self, agent_id: UUID | None = None, **limits: Any) -> None:
        await self.spending.set_budget(self.world.org_id, agent_id, SetBudget(**limits), "user:t")

    async def spent(self, agent_id: UUID | None = None) -> int:
        """What is spent of a budget, once everything was told."""
        await tell(self.world)
        found = await self.spending.budgets(self.world.org_id, agent_id or self.world.org_id)
        return found[0].spent_nano

    async def job(self, limits: Limits | None = None, **values: Any) -> "Caller":
        """An execution under way, and what its agent calls with."""
        request = NewExecution(input={}, limits=limits)
        before = len(self.world.neighbours.jobs)
        made = await self.world.create(request=request, mode="job", **values)
        await eventually(lambda: len(self.world.neighbours.jobs) > before)
        key = await self.world.key(execution_id=made.id, attempt=1)
        return Caller(self.world, key.key, made.id)


@dataclass
class Caller:
    """An agent's side of model calls."""

    world: World
    key: str
    execution_id: UUID

    async def call(self, model: str = "paid", **more: Any) -> tuple[int, dict[str, Any], Any]:
        body = json.dumps({"model": model, "messages": MESSAGES, **more}).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        url = f"{self.world.url}/v1/chat/completions"
        async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=body) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else {}, answer.headers

    async def spree(self, calls: int, at_once: int, **more: Any) -> list[tuple[int, dict[str, Any]]]:
        """Many calls, so many at a time; ends early once a budget is used up."""
        answers: list[tuple[int, dict[str, Any]]] = []
        left = iter(range(calls))

        async def one() -> None:
            for _ in left:
                status, body, _ = await self.call(**more)
                answers.append((status, body))
                if status != 200:
                    return

        await asyncio.gather(*(one() for _ in range(at_once)))
        return answers

    async def step(self, seq: int) -> Any:
        return await self.world.journal.step(self.world.org_id, self.execution_id, seq)


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[PaidUpstream, str]]:
    paid = PaidUpstream()
    runner = web.AppRunner(paid.app(), shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    yield paid, f"http://127.0.0.1:{port}/v1"
    await runner.cleanup()


@pytest.fixture
async def paid(make_world: WorldMaker, upstream: tuple[PaidUpstream, str]) -> Paid:
    """The usual data path of these tests."""
    provider, url = upstream
    knobs = {"default_route": "openai", "openai_api_key": "sk-platform", "openai_url": url}
    world: World = await make_world(**knobs, budget_wait_seconds=12, budget_hold_seconds=5)
    await set_price(world)
    return Paid(world, provider)


async def tell(world: World) -> None:
    """Have everything told that was spent so far, also what is being told just now."""
    for purse in list(world.gateway.spending.budgets.holdings._purses.values()):
        await purse.tell()


async def set_price(world: World, model: str = "paid*") -> None:
    price = SetPrice(model=model, input_nano=INPUT_NANO, output_nano=OUTPUT_NANO, max_output_tokens=16_384)
    await world.platform.client(SpendingClient).set_price(price, "user:t")
