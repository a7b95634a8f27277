"""Virtual keys: who holds one, what it is good for, and for how long."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from services.chassis.errors import Conflict, Forbidden
from services.chassis.ids import new_id
from services.contracts.agent_gateway import IssueKey
from tests.platform import make_organisation
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually

BODY = {"model": "scripted/echo", "messages": [{"role": "user", "content": "hi"}]}


async def call(world: World, key: str, **headers: str) -> tuple[int, Any]:
    url = f"{world.url}/v1/chat/completions"
    given = {"Authorization": f"Bearer {key}", **headers}
    async with aiohttp.ClientSession() as session, session.post(url, json=BODY, headers=given) as answer:
        return answer.status, await answer.json()


async def unattributed(world: World) -> int:
    row = await world.platform.db.fetchrow(
        "SELECT count(*) AS n FROM steps WHERE org_id = $1 AND execution_id IS NULL", world.org_id
    )
    assert row is not None
    return int(row["n"])


async def test_asking_again_gives_the_same_key_and_a_new_token(world: World) -> None:
    run_id = new_id()
    first, second = await world.key(run_id=run_id), await world.key(run_id=run_id)
    assert first.key == second.key and first.token != second.token
    assert (await world.key()).key != first.key
    for good in (first.key, first.token, second.token):
        assert (await call(world, good))[0] == 200
    stored = await world.platform.db.fetch("SELECT * FROM virtual_keys WHERE run_id = $1", run_id)
    assert len(stored) == 3
    assert all(first.key.encode() not in row["hash"] for row in stored)


async def test_a_wrong_key_is_refused_in_the_providers_shape(world: World) -> None:
    for wrong in ("", "ap-vk-nonsense", "sk-real"):
        status, document = await call(world, wrong)
        assert (status, document["error"]["code"]) == (401, "invalid_api_key")


async def test_a_revoked_key_is_worthless_within_a_second_everywhere(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="scripted")
    other: World = await make_world(beside=world, default_route="scripted")
    run_id = new_id()
    key = await world.key(run_id=run_id)
    assert (await call(world, key.key))[0] == (await call(other, key.key))[0] == 200
    await world.executor.revoke_keys(run_id)
    assert (await call(world, key.key))[0] == (await call(world, key.token))[0] == 401
    started = time.monotonic()
    while (await call(other, key.key))[0] != 401:
        assert time.monotonic() - started < 1.5
        await asyncio.sleep(0.05)
    with pytest.raises(Conflict):
        await world.key(run_id=run_id)


async def test_only_executors_issue_keys(world: World) -> None:
    request = IssueKey(
        org_id=world.org_id, agent_id=world.agent_id, agent_name="a", instance_id=new_id(), run_id=new_id()
    )
    with pytest.raises(Forbidden):
        await world.client.issue_key(request)


async def test_the_only_execution_of_an_instance_gets_its_calls(world: World) -> None:
    agent = await world.agent(concurrency=2)
    assert (await call(world, agent.key.key))[0] == 200
    assert await unattributed(world) == 1
    one = await world.create({"do": "sleep", "seconds": 3})
    await eventually(agent.seen)
    await call(world, agent.key.key)
    assert (await world.client.get(world.org_id, one.id)).steps == 1
    two = await world.create({"do": "sleep", "seconds": 3})
    await eventually(lambda: len(world.gateway.dispatcher._tasks) == 2)
    # Two are under way: it is never guessed, but a header or the trace tells.
    await call(world, agent.key.key)
    assert await unattributed(world) == 2
    await call(world, agent.key.key, **{"X-AgentPlane-Execution-Id": str(two.id)})
    await call(world, agent.key.key, traceparent=f"00-{two.id.hex}-1234567890abcdef-01")
    assert (await world.client.get(world.org_id, two.id)).steps == 2
    assert (await world.client.get(world.org_id, one.id)).steps == 1


async def test_a_key_is_not_good_for_another_execution(world: World) -> None:
    mine, theirs = await world.agent(), await world.agent()
    made = [await world.create({"do": "sleep", "seconds": 5}) for _ in range(2)]
    await eventually(mine.seen)
    await eventually(theirs.seen)
    seen = str(await mine.seen())
    foreign = next(each for each in made if str(each.id) not in seen)
    for named in (str(foreign.id), str(new_id()), "nonsense"):
        status, document = await call(world, mine.key.key, **{"X-AgentPlane-Execution-Id": named})
        assert (status, document["error"]["code"]) == (403, "policy_denied")
    url = f"{world.url}/v1/executions/{foreign.id}/result"
    headers = {"Authorization": f"Bearer {mine.key.key}"}
    async with aiohttp.ClientSession() as session:
        for target in (url, f"{world.url}/v1/executions/nonsense/result"):
            async with session.post(target, json={"output": "stolen"}, headers=headers) as answer:
                assert answer.status == 403


async def test_a_key_of_an_execution_ends_with_it(world: World) -> None:
    made = await world.create({}, mode="job")
    await eventually(lambda: world.neighbours.jobs)
    key = await world.key(execution_id=made.id, attempt=1)
    assert (await call(world, key.key))[0] == 200
    assert (await world.client.get(world.org_id, made.id)).steps == 1
    await world.client.cancel(world.org_id, made.id, "user:test")
    assert (await call(world, key.key))[0] == 401


async def test_a_key_knows_its_organisation(world: World) -> None:
    other = await make_organisation(world.platform.db)
    key = await world.key(org_id=other)
    assert (await call(world, key.key))[0] == 200
    row = await world.platform.db.fetchrow("SELECT org_id FROM steps WHERE org_id = $1", other)
    assert row is not None


async def test_a_key_of_one_execution_is_refused_for_another(world: World) -> None:
    one, two = await world.create({}, mode="job"), await world.create({}, mode="job")
    await eventually(lambda: len(world.neighbours.jobs) == 2)
    mine = await world.key(execution_id=one.id, attempt=1)
    await world.key(execution_id=two.id, attempt=1)
    status, document = await call(world, mine.key, **{"X-AgentPlane-Execution-Id": str(two.id)})
    assert (status, document["error"]["code"]) == (403, "policy_denied")
    # The trace of another execution does not move the call there either.
    assert (await call(world, mine.key, traceparent=f"00-{two.id.hex}-1234567890abcdef-01"))[0] == 200
    assert (await world.client.get(world.org_id, one.id)).steps == 1
    assert (await world.client.get(world.org_id, two.id)).steps == 0
    headers = {"Authorization": f"Bearer {mine.key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        url = f"{world.url}/v1/executions/{two.id}/result"
        async with session.post(url, json={"output": "stolen"}) as answer:
            assert answer.status == 403


async def test_keys_of_a_process_whose_end_nobody_told_of_are_revoked(world: World) -> None:
    ended, alive, young = await world.agent(), await world.agent(), await world.agent()
    await world.platform.db.execute(
        "UPDATE virtual_keys SET created_at = now() - interval '2 minutes' WHERE run_id = ANY($1::uuid[])",
        [ended.endpoint.run_id, alive.endpoint.run_id],
    )
    world.neighbours.ended |= {ended.endpoint.run_id, young.endpoint.run_id}
    assert (await call(world, ended.key.key))[0] == 200
    keys = world.gateway.keys
    assert await keys.revoke_ended(world.gateway.keeping.ended) >= 1
    assert (await call(world, ended.key.key))[0] == (await call(world, ended.key.token))[0] == 401
    assert (await call(world, alive.key.key))[0] == (await call(world, young.key.key))[0] == 200
