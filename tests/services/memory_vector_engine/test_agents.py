"""Memory as agents use it: with their key, through the gateway, each call a step."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services import assembly
from services.agent_gateway.settings import GatewaySettings
from services.chassis.testing import platform_settings, running
from services.contracts.catalog import CALLERS
from services.contracts.memories import ListMemories, MemoryScope, StepOf, WriteMemory
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.contracts.steps import StepKind
from services.embedded.testing import WorkerStores
from services.memory_vector_engine.settings import MemorySettings
from tests.platform import make_agent, make_organisation
from tests.services.agent_gateway import conftest as gateway
from tests.services.agent_gateway.conftest import Neighbours, World, vault

AGENT = Path(__file__).with_name("remembering_agent.py")


@pytest.fixture
async def world(stores: WorkerStores, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(gateway, "AGENT", AGENT)
    neighbours = Neighbours()
    names = ("agent-observability", "agent-gateway", "secrets-manager", "memory-vector-engine")
    services = [*neighbours.services(), *map(assembly.load, names)]
    nothing = {"embedding_api_url": None, "embedding_api_key": None, "openai_api_key": None}
    overrides = [GatewaySettings(default_route="scripted"), vault(), MemorySettings.model_validate(nothing)]
    settings = platform_settings(stores.environment(), CALLERS)
    async with running(services, settings, assembly.PORTS, listen=True, overrides=overrides) as platform:
        org_id = await make_organisation(platform.db)
        world = World(platform, neighbours, org_id, await make_agent(platform.db, org_id))
        yield world
        for agent in world.agents:
            agent.kill()
        await platform.db.execute(
            "UPDATE executions SET status = 'cancelled', finished_at = now() WHERE finished_at IS NULL"
        )


async def test_an_unmodified_agent_remembers_across_executions(world: World) -> None:
    await world.agent()
    first = await world.run({"remember": "the deployment key of project Juniper is rotated on Fridays"})
    assert first.output["stored"] is True
    second = await world.run({"recall": "when is the key of Juniper rotated?"})
    assert second.output == ["the deployment key of project Juniper is rotated on Fridays"]
    (step,) = (await world.journal.timeline(world.org_id, first.id)).items
    assert (step.kind, step.name, step.http_status) == (StepKind.MEMORY, "POST /v1/memory", 201)
    memory = first.output["memory"]
    assert (memory["source_execution_id"], memory["source_step_id"]) == (str(first.id), str(step.id))
    client = world.platform.client(MemoryVectorEngineClient)
    before = ListMemories(as_of_step=StepOf(execution_id=first.id, seq=1))
    assert (await client.list_memories(world.org_id, before)).items == []
    then = ListMemories(as_of_step=StepOf(execution_id=second.id, seq=1))
    assert len((await client.list_memories(world.org_id, then)).items) == 1


async def test_the_key_says_whose_memory_it_is(world: World) -> None:
    key = (await world.key()).key
    other = await make_agent(world.platform.db, world.org_id)
    client = world.platform.client(MemoryVectorEngineClient)
    theirs = (await client.write(world.org_id, WriteMemory(content="theirs", agent_id=other))).memory
    shared = WriteMemory(content="shared", scope=MemoryScope.ORGANISATION)
    everyones = (await client.write(world.org_id, shared)).memory

    async def call(method: str, path: str, body: Any = None, with_key: str = key) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {with_key}"}
        url = f"{world.url}/v1/memory{path}"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, url, json=body) as answer,
        ):
            return answer.status, await answer.json()

    status, mine = await call("POST", "", {"content": "mine"})
    assert (status, mine["memory"]["agent_id"]) == (201, str(world.agent_id))
    mine_id = mine["memory"]["id"]
    assert (await call("POST", "", {"content": "x", "agent_id": str(other)}))[0] == 422
    assert (await call("POST", "/search", {"query": "theirs"}))[1]["items"] == []
    assert (await call("GET", f"/{theirs.id}"))[0] == 404
    assert (await call("DELETE", f"/{theirs.id}"))[0] == 404
    assert (await call("GET", f"/{everyones.id}"))[1]["content"] == "shared"
    assert (await call("DELETE", f"/{everyones.id}"))[0] == 403
    assert (await call("PATCH", f"/{mine_id}", {"content": "mine, changed"}))[1]["version"] == 2
    listed = (await call("GET", "?limit=10"))[1]["items"]
    assert {each["content"] for each in listed} == {"mine, changed", "shared"}
    assert (await call("DELETE", f"/{mine_id}"))[1] == {"id": mine_id, "deleted": True}
    for method, path, body, expected in (
        ("POST", "", {}, 422),
        ("POST", "", [], 422),
        ("POST", "/search", {"query": ""}, 422),
        ("GET", "?colour=red", None, 422),
        ("PUT", "", {}, 405),
        ("GET", "/nonsense", None, 404),
    ):
        status, document = await call(method, path, body)
        assert (status, bool(document["error"]["message"])) == (expected, True), document
    assert (await call("POST", "", {"content": "x"}, with_key="ap-vk-unknown"))[0] == 401
