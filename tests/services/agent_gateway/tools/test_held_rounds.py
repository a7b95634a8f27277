"""A held call of the stateless revision: its client is told to come again, and does."""

import asyncio
from typing import Any

from mcp import MCPError
from mcp_types import CallToolResult, InputRequiredResult

from services.agent_gateway.tools.held import APPROVAL_META, Round
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually
from tests.services.agent_gateway.tools.conftest import (
    LEGACY,
    Agent,
    ServeTools,
    agent,
    register,
    set_policy,
    text,
)
from tests.services.agent_gateway.tools.test_approvals import HOLD, Inbox


async def held(caller: Agent, what: str = "x", state: str | None = None) -> Any:
    """One round of a call of `book`, whatever it is answered."""
    async with caller.client("mock") as client:
        try:
            return await client.session.call_tool(
                "book", {"what": what}, request_state=state, allow_input_required=True
            )
        except MCPError as error:
            return error


async def test_a_held_call_is_to_come_again_and_goes_on_then(open_world: World, serve: ServeTools) -> None:
    tools, inbox = await serve(), Inbox(open_world)
    await register(open_world, tools)
    await set_policy(open_world, **HOLD)
    caller = await agent(open_world)
    first = await held(caller)
    assert isinstance(first, InputRequiredResult) and not first.input_requests
    approval = await inbox.one(caller)
    shown = (first.meta or {})[APPROVAL_META]
    assert (shown["id"], shown["tool"]) == (str(approval.id), "mock/book")
    # Nobody is connected, and the execution waits all the same; the same call is not held a second time.
    assert await caller.status() == "waiting_for_approval"
    again = await held(caller)
    assert isinstance(again, InputRequiredResult) and len(await inbox.waiting(caller)) == 1
    forged = await held(caller, state=f"{first.request_state}x")
    assert isinstance(forged, MCPError) and "requestState" in forged.message

    coming = asyncio.create_task(held(caller, state=first.request_state))
    await inbox.decide(approval, True)
    done = await coming
    assert isinstance(done, CallToolResult) and text(done.content) == "did book x 1"
    await eventually(lambda: _running(caller))
    assert tools.calls == {"book x": 1}


async def _running(caller: Agent) -> bool:
    return await caller.status() == "running"


async def test_a_rejection_reaches_who_comes_again(open_world: World, serve: ServeTools) -> None:
    await register(open_world, await serve())
    await set_policy(open_world, **HOLD)
    caller, inbox = await agent(open_world), Inbox(open_world)
    first = await held(caller)
    await inbox.decide(await inbox.one(caller), False, "too dear")
    ended = await held(caller, state=first.request_state)
    assert ended.is_error and "too dear" in text(ended.content)


async def test_an_older_client_waits_on_its_connection(open_world: World, serve: ServeTools) -> None:
    await register(open_world, await serve())
    await set_policy(open_world, **HOLD)
    caller, inbox = await agent(open_world), Inbox(open_world)

    async def call() -> Any:
        async with caller.client("mock", mode="legacy") as client:
            assert client.session.protocol_version == LEGACY
            return await client.call_tool("book", {"what": "x"})

    calling = asyncio.create_task(call())
    approval = await inbox.one(caller)
    assert not calling.done()
    await inbox.decide(approval, True)
    assert text((await calling).content) == "did book x 1"
    # One request, one step: it was never sent away.
    assert [each.name for each in await caller.steps()] == ["mock/book"]


async def test_a_state_is_good_at_the_next_gateway(make_world: WorldMaker, serve: ServeTools) -> None:
    world: World = await make_world(private="127.0.0.1", default_route="scripted", lease_seconds=1)
    await register(world, await serve())
    await set_policy(world, **HOLD)
    caller = await agent(world)
    first = await held(caller)
    approval = await Inbox(world).one(caller)
    # As when the process is killed: nothing is renewed, and nobody answers any more.
    for task in list(world.gateway.dispatcher._tasks.values()):
        task.cancel()
    for active in world.gateway._active.all():
        world.gateway._active.remove(active.id)
    other: World = await make_world(
        beside=world, private="127.0.0.1", default_route="scripted", lease_seconds=60
    )
    await eventually(lambda: other.gateway._active.get(caller.execution.id) is not None)
    taken = other.gateway._active.get(caller.execution.id)
    assert taken is not None
    await Inbox(other).decide(approval, True)
    follower = await agent(other, attempt=taken.attempt, execution=caller.execution)
    done = await held(follower, state=first.request_state)
    assert isinstance(done, CallToolResult) and text(done.content) == "did book x 1"
    await eventually(lambda: _running(follower))


def test_ten_rounds_last_longer_than_a_day() -> None:
    assert Round(0).seconds == 0
    assert sum(Round(number).seconds for number in range(10)) > 86_400
