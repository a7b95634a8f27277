"""Memory over MCP: the server `memory`, for agents that know nothing else of the platform."""

from typing import Any

import pytest

from services.contracts.steps import Effect, StepKind
from tests.services.agent_gateway.conftest import World, WorldMaker
from tests.services.agent_gateway.tools.conftest import again, agent, text


@pytest.fixture
async def world(make_world: WorldMaker) -> World:
    """A data path with memory."""
    made: World = await make_world(default_route="scripted", more=("memory-vector-engine",))
    return made


async def test_what_one_execution_remembers_another_finds(world: World) -> None:
    caller = await agent(world)
    async with caller.client("memory") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["forget", "get", "list", "remember", "search"]
        made = await _call(client, "remember", content="The invoice of Ada is overdue", tags=["billing"])
        assert made["stored"] and made["memory"]["source_execution_id"] == str(caller.execution.id)
    other = await agent(world)
    memory_id = made["memory"]["id"]
    async with other.client("memory") as client:
        found = await _call(client, "search", query="whose invoice is overdue?")
        assert [each["memory"]["id"] for each in found["items"]] == [memory_id]
        assert (await _call(client, "list"))["items"][0]["content"] == "The invoice of Ada is overdue"
        assert (await _call(client, "get", id=memory_id))["tags"] == ["billing"]
        assert (await _call(client, "forget", id=memory_id))["deleted"]
        assert not (await _call(client, "list"))["items"]
        for name, arguments in (("remember", {}), ("get", {"id": "x"}), ("search", {"query": "x", "k": 1})):
            result = await client.call_tool(name, arguments)
            assert result.is_error and text(result.content)
    steps = await other.steps()
    assert {step.kind for step in steps} == {StepKind.MEMORY}
    assert [(step.name, step.effect) for step in steps[:4]] == [
        ("memory/search", Effect.READ),
        ("memory/list", Effect.READ),
        ("memory/get", Effect.READ),
        ("memory/forget", Effect.WRITE),
    ]


async def test_the_next_attempt_remembers_nothing_twice(world: World) -> None:
    caller = await agent(world)
    async with caller.client("memory") as client:
        first = await _call(client, "remember", content="once")
    second = await again(caller)
    async with second.client("memory") as client:
        assert await _call(client, "remember", content="once") == first
        (only,) = (await _call(client, "list"))["items"]
        assert only["id"] == first["memory"]["id"]


async def _call(client: Any, name: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result
    document: dict[str, Any] = result.structured_content
    return document
