"""Calls held for a person: decided, expired, and found again by whoever asks after a crash."""

import asyncio
from typing import Any

import pytest

from services.chassis.errors import IllegalState, NotFound
from services.chassis.ids import new_id
from services.contracts.tools import Approval, ApprovalState, Decide, ToolsClient
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually
from tests.services.agent_gateway.tools.conftest import Agent, ServeTools, again, agent, register, set_policy

HOLD = {"tools": [{"tool": "mock/*", "action": "approve"}]}


class Inbox:
    """A person who decides."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client = world.platform.client(ToolsClient)

    async def waiting(self, execution: Agent) -> list[Approval]:
        found = await self.client.list_approvals(
            self.world.org_id, state=ApprovalState.PENDING, execution_id=execution.execution.id
        )
        return list(found.items)

    async def one(self, execution: Agent) -> Approval:
        (found,) = await eventually(lambda: self.waiting(execution))
        assert isinstance(found, Approval)
        return found

    async def decide(self, approval: Approval, approve: bool, comment: str | None = None) -> Approval:
        decision = Decide(approve=approve, comment=comment)
        return await self.client.decide(self.world.org_id, approval.id, decision, "user:ada")


async def test_an_approved_call_goes_on_within_a_second(open_world: World, serve: ServeTools) -> None:
    tools, inbox = await serve(), Inbox(open_world)
    await register(open_world, tools)
    await set_policy(open_world, tools=[{"tool": "mock/refund", "action": "approve"}])
    caller = await agent(open_world)
    assert await caller.call("book") == "did book x 1"
    calling = asyncio.create_task(caller.call("refund"))
    approval = await inbox.one(caller)
    assert (approval.server, approval.tool, approval.arguments) == ("mock", "refund", {"what": "x"})
    assert (approval.state, approval.agent_id) == (ApprovalState.PENDING, open_world.agent_id)
    assert "mock/refund" in approval.reason and approval.step_seq == 2
    await eventually(lambda: _is(caller, "waiting_for_approval"))
    assert tools.calls == {"book x": 1}
    decided = await inbox.decide(approval, True)
    assert (decided.state, decided.decided_by) == (ApprovalState.APPROVED, "user:ada")
    async with asyncio.timeout(1):
        assert await calling == "did refund x 1"
    await eventually(lambda: _is(caller, "running"))
    assert await inbox.decide(approval, True) == decided
    with pytest.raises(IllegalState):
        await inbox.decide(approval, False)
    events = await open_world.platform.db.fetch(
        "SELECT payload FROM outbox WHERE subject = 'approvals.events' AND subject_id = $1 ORDER BY id",
        approval.id,
    )
    assert [row["payload"]["data"]["state"] for row in events] == ["pending", "approved"]


async def _is(caller: Agent, status: str) -> bool:
    return await caller.status() == status


async def test_a_rejected_call_is_a_tool_error(open_world: World, serve: ServeTools) -> None:
    tools, inbox = await serve(), Inbox(open_world)
    await register(open_world, tools)
    await set_policy(open_world, **HOLD)
    caller = await agent(open_world)
    async with caller.client("mock") as client:
        calling = asyncio.create_task(client.call_tool("book", {"what": "x"}))
        await inbox.decide(await inbox.one(caller), False, "too dear")
        result = await calling
    text: Any = result.content[0]
    assert result.is_error and "rejected" in text.text and "too dear" in text.text
    assert (result.meta or {})["dev.agentplane/cause"] == "approval_rejected"
    assert not tools.calls
    first, *_, step = await caller.steps()
    assert first.response["result"]["resultType"] == "input_required"
    assert (step.status, step.cause) == ("failed", "approval_rejected")


async def test_a_denied_call_is_a_tool_error_too(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    denied = {"path": "/what", "matches": "bad.*"}
    await set_policy(open_world, tools=[{"tool": "mock/*", "arguments": [denied], "action": "deny"}])
    caller = await agent(open_world)
    assert await caller.call("book", "good") == "did book good 1"
    assert "may not be called" in await caller.call("book", "bad thing")
    assert tools.calls == {"book good": 1}
    assert [step.cause for step in await caller.steps()] == [None, "policy_denied"]


async def test_an_approval_expires(open_world: World, serve: ServeTools) -> None:
    tools, inbox = await serve(), Inbox(open_world)
    await register(open_world, tools)
    await set_policy(open_world, **HOLD, approval_seconds=1)
    caller = await agent(open_world)
    calling = asyncio.create_task(caller.call("book"))
    approval = await inbox.one(caller)
    assert "in time" in await calling
    with pytest.raises(IllegalState):
        await inbox.decide(approval, True)
    assert not tools.calls and not await inbox.waiting(caller)


async def test_a_cancelled_execution_leaves_nothing_to_decide(open_world: World, serve: ServeTools) -> None:
    tools, inbox = await serve(), Inbox(open_world)
    await register(open_world, tools)
    await set_policy(open_world, **HOLD)
    caller = await agent(open_world)
    calling = asyncio.create_task(caller.call("book"))
    approval = await inbox.one(caller)
    await open_world.client.cancel(open_world.org_id, caller.execution.id, "user:t")
    # Told so where it waits on its connection; who comes again has no key any more.
    await asyncio.wait([calling])
    assert calling.exception() is not None or "had ended" in calling.result()

    async def cancelled() -> bool:
        found = await inbox.client.get_approval(open_world.org_id, approval.id)
        return found.state is ApprovalState.CANCELLED

    await eventually(cancelled)
    assert not tools.calls


async def test_a_held_call_whose_agent_died_is_found_by_the_next_attempt(
    open_world: World, serve: ServeTools
) -> None:
    tools, inbox = await serve(), Inbox(open_world)
    await register(open_world, tools)
    await set_policy(open_world, **HOLD)
    first = await agent(open_world)
    calling = asyncio.create_task(first.call("book"))
    approval = await inbox.one(first)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    retried = asyncio.create_task(first.call("book"))
    await asyncio.sleep(0.5)
    assert [each.id for each in await inbox.waiting(first)] == [approval.id]
    retried.cancel()
    await asyncio.gather(retried, return_exceptions=True)
    await inbox.decide(approval, True)
    second = await again(first)
    assert await second.call("book") == "did book x 1"
    third = await again(second)
    assert await third.call("book") == "did book x 1"
    assert tools.calls == {"book x": 1} and not await inbox.waiting(first)


async def test_an_approval_survives_the_gateway(make_world: WorldMaker, serve: ServeTools) -> None:
    """A second gateway on the same database takes the execution up; the agent asks it again."""
    world: World = await make_world(private="127.0.0.1", default_route="scripted", lease_seconds=1)
    tools, inbox = await serve(), Inbox(world)
    await register(world, tools)
    await set_policy(world, **HOLD)
    first = await agent(world)
    calling = asyncio.create_task(first.call("book"))
    approval = await inbox.one(first)
    # As when the process is killed: nothing is renewed, and nobody answers any more.
    for task in list(world.gateway.dispatcher._tasks.values()):
        task.cancel()
    for active in world.gateway._active.all():
        world.gateway._active.remove(active.id)
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    other: World = await make_world(
        beside=world, private="127.0.0.1", default_route="scripted", lease_seconds=60
    )
    await eventually(lambda: other.gateway._active.get(first.execution.id) is not None)
    attempt = other.gateway._active.get(first.execution.id).attempt  # type: ignore[union-attr]
    follower = await agent(other, attempt=attempt, execution=first.execution)
    calling = asyncio.create_task(follower.call("book"))
    await asyncio.sleep(0.3)
    assert [each.id for each in await inbox.waiting(first)] == [approval.id]
    await Inbox(other).decide(approval, True)
    async with asyncio.timeout(1):
        assert await calling == "did book x 1"


async def test_another_organisation_sees_no_approvals(open_world: World, serve: ServeTools) -> None:
    tools, inbox = await serve(), Inbox(open_world)
    await register(open_world, tools)
    await set_policy(open_world, **HOLD)
    caller = await agent(open_world)
    calling = asyncio.create_task(caller.call("look"))
    approval = await inbox.one(caller)
    stranger = new_id()
    assert not (await inbox.client.list_approvals(stranger)).items
    with pytest.raises(NotFound):
        await inbox.client.get_approval(stranger, approval.id)
    with pytest.raises(NotFound):
        await inbox.client.decide(stranger, approval.id, Decide(approve=True), "user:eve")
    await inbox.decide(approval, True)
    assert await calling == "did look x 1"
