"""A platform with the journal alone, and steps to put into it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.steps import NewStep, StepKind
from services.embedded.testing import WorkerStores
from tests.platform import make_organisation, platform_of

MakeStep = Callable[..., NewStep]


@pytest.fixture
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    async with platform_of(["agent-observability"], stores.environment()) as running:
        yield running


@pytest.fixture
def journal(platform: TestPlatform) -> AgentObservabilityClient:
    return platform.client(AgentObservabilityClient, "agent-gateway")


@pytest.fixture
async def org_id(platform: TestPlatform) -> UUID:
    return await make_organisation(platform.db)


def made_step(org_id: UUID, execution_id: UUID | None, seq: int, **more: Any) -> NewStep:
    """A step as the gateway hands it over; of an agent of its own unless told otherwise."""
    values: dict[str, Any] = {
        "id": new_id(),
        "org_id": org_id,
        "agent_id": new_id(),
        "execution_id": execution_id,
        "seq": seq,
        "kind": StepKind.LLM,
        "name": "/v1/chat/completions",
        "status": "succeeded",
        "model": "scripted/x",
        "scripted": True,
        "http_status": 200,
        "tokens_in": 10,
        "tokens_out": 5,
        "cost_nano": 7,
        "started_at": datetime.now(UTC),
        "finished_at": datetime.now(UTC),
        "request_bytes": b'{"model":"scripted/x"}',
        "response_bytes": b'{"ok": true}',
    }
    return NewStep(**{**values, **more})


@pytest.fixture
def step(org_id: UUID) -> MakeStep:
    """Makes steps of the organisation."""
    return partial(made_step, org_id)
