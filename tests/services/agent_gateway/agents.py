"""An agent's side of model calls: raw bytes, or the official clients with nothing but the injected values."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import aiohttp
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from services.contracts.steps import RawStep, Step
from tests.services.agent_gateway.conftest import Provider, World, WorldMaker, eventually


@dataclass
class ModelAgent:
    """One agent, whose calls belong to one job's execution."""

    world: World
    key: str
    execution_id: UUID

    def openai(self, **options: Any) -> AsyncOpenAI:
        """OpenAI's client as an agent makes it; it does not try again unless told to."""
        return AsyncOpenAI(
            **{"base_url": f"{self.world.url}/v1", "api_key": self.key, "max_retries": 0, **options}
        )

    def anthropic(self, **options: Any) -> AsyncAnthropic:
        """Anthropic's client as an agent makes it."""
        return AsyncAnthropic(
            **{"base_url": self.world.url, "api_key": self.key, "max_retries": 0, **options}
        )

    async def post(
        self, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Send a request as raw bytes, or as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        session = aiohttp.ClientSession(headers=sent)
        async with session, session.post(self.world.url + path, data=raw) as answer:
            told = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, await answer.read(), told

    async def steps(self) -> Sequence[Step]:
        """What was recorded so far."""
        return (await self.world.journal.timeline(self.world.org_id, self.execution_id)).items

    async def step(self) -> Step:
        """The one step that was recorded."""
        [step] = await self.steps()
        return step

    async def raw(self, seq: int) -> RawStep:
        """The exact bytes of a step."""
        return (await self.world.journal.raw(self.world.org_id, self.execution_id, [seq]))[0]


async def model_agent(world: World, **values: Any) -> ModelAgent:
    """A new agent with a key of its own."""
    known = len(world.neighbours.jobs)
    made = await world.create({}, mode="job")
    await eventually(lambda: len(world.neighbours.jobs) > known)
    key = await world.key(execution_id=made.id, attempt=1, **values)
    return ModelAgent(world, key.key, made.id)


async def routed_world(make_world: WorldMaker, provider: Provider, **knobs: Any) -> World:
    """A data path whose models go to the little providers."""
    made: World = await make_world(
        **{
            "default_route": "openai",
            "openai_api_key": "sk-platform",
            "openai_url": provider.url,
            "anthropic_api_key": "sk-ant-platform",
            "anthropic_url": provider.url.removesuffix("/v1"),
            "max_call_bytes": 200_000,
            "silence_seconds": 5,
            **knobs,
        }
    )
    return made
