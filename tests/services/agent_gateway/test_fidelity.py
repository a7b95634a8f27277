"""How much of an execution was recorded is known of every one that ended, however it ended."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web

from services.contracts.executions import Execution, Fidelity
from services.embedded.testing import free_port
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually
from tests.services.agent_gateway.test_egress import connect

ASKS_FOR_A_TOOL = orjson.dumps({"scripted": [{"tool": "search", "arguments": {}}]}).decode()


async def judged(world: World, execution: Execution) -> Fidelity:
    async def known() -> Fidelity | None:
        return (await world.client.get(world.org_id, execution.id)).fidelity

    found: Fidelity = await eventually(known)
    return found


async def test_it_is_written_with_the_end_and_lists_find_it(world: World) -> None:
    await world.agent()
    asked = {"do": "model", "model": "scripted/model"}
    plain = await world.run({**asked, "messages": [{"role": "user", "content": "hello"}]})
    inside = await world.run({**asked, "messages": [{"role": "user", "content": ASKS_FOR_A_TOOL}]})
    assert (plain.fidelity, inside.fidelity) == (Fidelity.EGRESS, Fidelity.MODELS)
    for wanted, execution in ((Fidelity.EGRESS, plain), (Fidelity.MODELS, inside)):
        page = await world.client.list_executions(world.org_id, fidelity=wanted)
        assert [each.id for each in page.items] == [execution.id]


async def test_the_journal_is_asked_where_nobody_counted(world: World) -> None:
    await world.agent()
    asked = {"do": "model", "model": "scripted/model"}
    ended = await world.run({**asked, "messages": [{"role": "user", "content": ASKS_FOR_A_TOOL}]})
    queued = await world.create({"do": "sleep"}, timeout_seconds=600)
    await world.client.cancel(world.org_id, queued.id, "user:test")
    assert await judged(world, queued) is Fidelity.EGRESS
    # As a row of before fidelity was kept; and one whose steps have been dropped since.
    await world.platform.db.execute("UPDATE executions SET fidelity = NULL WHERE id = $1", ended.id)
    assert await judged(world, ended) is Fidelity.MODELS
    await world.platform.db.execute(
        "UPDATE executions SET fidelity = NULL, steps = 7 WHERE id = $1", ended.id
    )
    assert await judged(world, ended) is Fidelity.NONE


@pytest.fixture
async def outside() -> AsyncIterator[int]:
    """A host of the outside that never answers."""
    never = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
    yield port
    await runner.cleanup()


async def test_a_tunnel_that_outlives_its_execution_counts(make_world: WorldMaker, outside: int) -> None:
    world: World = await make_world(default_route="scripted", private=f"127.0.0.1:{outside}")
    agent = await world.agent()
    endpoint = agent.endpoint
    allowed = await world.key(
        run_id=endpoint.run_id, instance_id=endpoint.instance_id, egress_allow=[f"127.0.0.1:{outside}"]
    )
    created = await world.create({"do": "later", "after": 0.5, "output": 1})
    await eventually(agent.seen)
    status, _, _, writer = await connect(world, allowed.key, f"127.0.0.1:{outside}")
    assert status == 200
    ended = await world.client.wait(world.org_id, created.id, 20)
    assert (ended.status, ended.fidelity) == ("succeeded", Fidelity.TOOLS)
    writer.close()
    # Its step comes late, is counted by the journal then, and says the same.
    await eventually(lambda: world.gateway.recorder.late or _stored(world, created))
    await world.gateway.fidelities.settle()
    assert await judged(world, created) is Fidelity.TOOLS


async def _stored(world: World, execution: Execution) -> bool:
    return bool((await world.journal.timeline(world.org_id, execution.id)).items)
