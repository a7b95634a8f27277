"""What changes the world happens once: after crashes, retries, and in forks."""

import asyncio
from typing import Any

import pytest

from services.agent_gateway.tools.effect_store import EffectId, EffectStore, NewEffect
from services.agent_gateway.tools.ledger import Ledger
from services.chassis.ids import new_id
from services.contracts.executions import Execution
from services.contracts.steps import Effect
from services.contracts.time_travel import ReplayPlan
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually
from tests.services.agent_gateway.tools.conftest import (
    Agent,
    ServeTools,
    again,
    agent,
    register,
)


async def test_the_next_attempt_is_answered_from_the_ledger(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    first = await agent(open_world)
    answers = [await first.call("book"), await first.call("book"), await first.call("refund")]
    assert answers == ["did book x 1", "did book x 2", "did refund x 1"]
    await open_world.platform.db.execute("DELETE FROM steps WHERE execution_id = $1", first.execution.id)
    second = await again(first)
    assert [await second.call("book"), await second.call("refund")] == ["did book x 1", "did refund x 1"]
    assert [step.served_from for step in await second.steps()] == ["ledger", "ledger"]
    assert await second.call("book") == "did book x 2"
    assert await second.call("book") == "did book x 3"
    assert tools.calls == {"book x": 3, "refund x": 1}


async def test_an_agent_that_dies_during_a_write(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    first = await agent(open_world)
    tools.hold = asyncio.Event()
    calling = asyncio.create_task(first.call("book"))
    await eventually(lambda: tools.calls)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    second = await again(first)
    waiting = asyncio.create_task(second.call("book"))
    await asyncio.sleep(0.2)
    tools.hold.set()
    assert await waiting == "did book x 1"
    assert tools.calls == {"book x": 1}
    await eventually(lambda: _settled(open_world, first.execution))
    assert {step.status for step in await second.steps()} == {"cancelled", "succeeded"}


async def test_a_retry_on_the_same_attempt_is_the_same_call(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    caller = await agent(open_world)
    tools.hold = asyncio.Event()
    calling = asyncio.create_task(caller.call("book"))
    await eventually(lambda: tools.calls)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    await asyncio.sleep(0.2)
    tools.hold.set()
    assert await caller.call("book") == "did book x 1"
    assert await caller.call("book") == "did book x 2"


async def test_a_read_whose_agent_died_is_not_carried_on(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    caller = await agent(open_world)
    tools.hold = asyncio.Event()
    calling = asyncio.create_task(caller.call("look"))
    await eventually(lambda: tools.calls)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    tools.hold.set()
    assert await caller.call("look") == "did look x 2"
    assert not await _effects(open_world, caller.execution)


async def test_an_unknown_outcome_is_not_repeated(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    first = await agent(open_world)
    tools.cut = True
    said = await first.call("book")
    assert said.startswith("error") and "not known" in said
    tools.cut = False
    second = await again(first)
    said = await second.call("book")
    assert "not called again" in said and tools.calls == {"book x": 1}
    (row,) = await _effects(open_world, first.execution)
    assert row["state"] == "unknown"


async def test_an_idempotent_tool_is_asked_again_with_the_same_key(
    open_world: World, serve: ServeTools
) -> None:
    tools = await serve()
    await register(open_world, tools)
    first = await agent(open_world)
    tools.cut = True
    assert "not known" in await first.call("put")
    tools.cut = False
    second = await again(first)
    assert await second.call("put") == "did put x 2"
    assert len(tools.keys) == 2 and tools.keys[0] == tools.keys[1]


async def test_what_never_left_is_no_effect(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    server = await register(open_world, tools)
    caller = await agent(open_world)
    assert await caller.call("look") == "did look x 1"
    there, tools.url = tools.url, "http://127.0.0.1:9/mcp"
    upstream = open_world.gateway.tools.catalogue
    (known,) = upstream._known.values()
    await register(open_world, tools, server_id=server.id)
    upstream._known[server.id, tools.url] = known
    await asyncio.sleep(1.1)
    assert "error" in await caller.call("book")
    assert not await _effects(open_world, caller.execution)
    tools.url = there
    await register(open_world, tools, server_id=server.id)
    await asyncio.sleep(1.1)
    assert await caller.call("book") == "did book x 1"


async def test_a_gateway_that_died_leaves_an_unknown_outcome(
    make_world: WorldMaker, serve: ServeTools
) -> None:
    world: World = await make_world(private="127.0.0.1", default_route="scripted")
    tools = await serve()
    await register(world, tools)
    first = await agent(world)
    assert await first.call("book") == "did book x 1"
    # As it stands when a process is killed between the commit and the answer.
    await world.platform.db.execute(
        "UPDATE effects SET state = 'started', result = NULL, finished_at = NULL WHERE lineage_id = $1",
        first.execution.id,
    )
    await world.platform.db.execute("DELETE FROM steps WHERE execution_id = $1", first.execution.id)
    second = await again(first)
    assert "not called again" in await second.call("book")
    assert tools.calls == {"book x": 1}


async def test_five_parallel_writes_are_five(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    caller = await agent(open_world)
    answers = await asyncio.gather(*(caller.call("book") for _ in range(5)))
    assert sorted(answers) == [f"did book x {n}" for n in range(1, 6)]
    second = await again(caller)
    assert sorted(await asyncio.gather(*(second.call("book") for _ in range(5)))) == sorted(answers)
    assert tools.calls == {"book x": 5}


@pytest.mark.parametrize("live", [False, True])
async def test_forks_repeat_no_effects_unless_allowed(
    open_world: World, serve: ServeTools, live: bool
) -> None:
    tools = await serve()
    await register(open_world, tools)
    source = await agent(open_world)
    await source.call("book")
    await source.call("refund")
    fork = await _fork(open_world, source, "live" if live else "ledger")
    answers = [await fork.call("book"), await fork.call("refund"), await fork.call("book", "new")]
    blocked = await fork.call("refund", "other")
    if live:
        assert answers == ["did book x 2", "did refund x 2", "did book new 1"]
        assert blocked == "did refund other 1"
    else:
        assert answers == ["did book x 1", "did refund x 1", "did book new 1"]
        assert "allow_effects=live" in blocked
        assert tools.calls == {"book x": 1, "refund x": 1, "book new": 1}
        steps = await fork.steps()
        assert [step.served_from for step in steps] == ["ledger", "ledger", "live", "live"]
        assert steps[0].source_execution_id == source.execution.id and steps[0].source_seq == 1


async def test_a_forks_prefix_counts_in_its_ledger(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    source = await agent(open_world)
    said = [await source.call("book"), await source.call("look"), await source.call("book")]
    fork = await _fork(open_world, source, "ledger", at_step=3)
    assert [await fork.call("book"), await fork.call("look"), await fork.call("book")] == said
    assert await fork.call("book") == "did book x 3"
    steps = await fork.steps()
    assert [step.served_from for step in steps] == ["journal", "journal", "ledger", "live"]
    assert [step.source_seq for step in steps] == [1, 2, 3, None]
    rows = {row["ordinal"]: row["source_seq"] for row in await _effects(open_world, fork.execution)}
    assert rows == {0: 1, 1: 3, 2: None}
    assert tools.calls == {"book x": 3, "look x": 1}


async def test_an_override_decides_what_a_tool_does(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools, effects={"book": Effect.READ})
    caller = await agent(open_world)
    assert await caller.call("book") == "did book x 1"
    assert (await caller.steps())[0].effect is Effect.READ
    assert not await _effects(open_world, caller.execution)


async def test_a_gateway_that_stops_lets_effects_end_and_writes_them_down(open_world: World) -> None:
    """When services are stopped, the loops that commit are gone already."""
    caller, answer = await agent(open_world), asyncio.Event()
    ledger = Ledger(EffectStore(open_world.platform.db))
    effect = EffectId(open_world.org_id, caller.execution.id, b"key", 0)
    new = NewEffect(effect, open_world.agent_id, "mock", "book", Effect.WRITE, new_id(), 1)

    async def perform(_: object) -> dict[str, object]:
        await answer.wait()
        return {"result": {}}

    calling = asyncio.create_task(ledger.once(new, perform, idempotent=False))
    await asyncio.sleep(0)
    stopping = asyncio.create_task(ledger.stop())
    await eventually(lambda: _effects(open_world, caller.execution))
    answer.set()
    await stopping
    assert await calling == ({"result": {}}, None)
    (row,) = await _effects(open_world, caller.execution)
    assert (row["state"], row["result"]) == ("done", b'{"result":{}}')


async def _fork(world: World, source: Agent, allow_effects: str, at_step: int = 1) -> Agent:
    fork = await agent(world)
    active = world.gateway._active.get(fork.execution.id)
    assert active is not None
    plan: dict[str, Any] = {
        "source_execution_id": source.execution.id,
        "at_step": at_step,
        "on_divergence": "live",
        "allow_effects": allow_effects,
    }
    active.replay = ReplayPlan(**plan)
    return fork


async def _effects(world: World, execution: Execution) -> list[Any]:
    return await world.platform.db.fetch("SELECT * FROM effects WHERE lineage_id = $1", execution.id)


async def _settled(world: World, execution: Execution) -> bool:
    rows = await _effects(world, execution)
    return bool(rows) and all(row["answered_attempt"] for row in rows)
