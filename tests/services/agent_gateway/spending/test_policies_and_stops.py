"""Policies and stops as agents meet them: refused before anything leaves, everywhere within a second."""

import asyncio
import time
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from services.agent_gateway.spending.rules import Decision
from services.chassis.errors import IllegalState, NotFound
from services.contracts.agents import Cause
from services.contracts.executions import ExecutionStatus
from services.contracts.spending import Policy, SetPrice, SpendingClient, StopOrganisation, ToolRule
from services.contracts.steps import Effect
from tests.platform import make_organisation
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually
from tests.services.agent_gateway.spending.conftest import Caller, Paid


def spending(world: World) -> SpendingClient:
    return world.platform.client(SpendingClient)


async def job(world: World, **values: Any) -> Caller:
    before = len(world.neighbours.jobs)
    made = await world.create({}, mode="job")
    await eventually(lambda: len(world.neighbours.jobs) > before)
    key = await world.key(execution_id=made.id, attempt=1, **values)
    return Caller(world, key.key, made.id)


async def test_a_model_that_the_agents_policy_does_not_name_is_refused(world: World) -> None:
    agent = await job(world, policy=Policy(models=["scripted/e*"]))
    assert (await agent.call("scripted/echo"))[0] == 200
    status, body, headers = await agent.call("gpt-5")
    assert (status, body["error"]["code"], headers["x-should-retry"]) == (403, "policy_denied", "false")
    assert body["error"]["message"] == "The agent's policy does not allow the model 'gpt-5'."
    step = await agent.step(2)
    assert (step.status, step.cause) == ("failed", Cause.POLICY_DENIED)


async def test_both_policies_count_and_the_organisations_within_a_second(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="scripted")
    other: World = await make_world(beside=world, default_route="scripted")
    agent = await job(world, policy=Policy(models=["scripted/*"]))
    assert (await agent.call("scripted/echo"))[0] == 200
    await spending(other).set_policy(world.org_id, Policy(models=["gpt-*"]), "user:t")
    started = time.monotonic()
    while (await agent.call("scripted/echo"))[0] == 200:
        assert time.monotonic() - started < 1.5
        await asyncio.sleep(0.05)
    # What one allows the other does not.
    assert (await agent.call("gpt-5"))[0] == 403
    await spending(world).drop_policy(world.org_id, "user:t")
    assert (await agent.call("scripted/echo"))[0] == 200
    with pytest.raises(NotFound):
        await spending(world).policy(world.org_id)


async def test_a_tool_call_is_decided_by_the_stricter_policy(world: World) -> None:
    agent = await job(world, policy=Policy(tools=[ToolRule(tool="db/*")], tools_default="approve"))
    await spending(world).set_policy(world.org_id, Policy(irreversible="deny"), "user:t")
    holder = await world.gateway.keys.find(agent.key)
    assert holder is not None

    async def decide(name: str, effect: Effect) -> Decision:
        server, _, tool = name.partition("/")
        return await world.gateway.spending.policies.decide_tool(holder, server, tool, {}, effect)

    assert (await decide("db/read", Effect.READ)).action == "allow"
    assert (
        await decide("db/drop", Effect.IRREVERSIBLE)
    ).rule == "`irreversible` of the organisation's policy"
    assert (await decide("mail/send", Effect.WRITE)).action == "approve"


async def test_an_organisations_policy_is_not_anothers(world: World) -> None:
    other = await make_organisation(world.platform.db)
    await spending(world).set_policy(other, Policy(models=[]), "user:t")
    assert (await (await job(world)).call("scripted/echo"))[0] == 200


async def test_a_stop_ends_everything_refuses_calls_and_lets_nothing_begin(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="scripted")
    other: World = await make_world(beside=world, default_route="scripted")
    agent = await world.agent(concurrency=2)
    running = [await world.create({"do": "sleep", "seconds": 60}) for _ in range(2)]
    queued = [await world.create({"do": "sleep"}) for _ in range(3)]
    made = await job(world)
    await eventually(agent.seen)
    started = time.monotonic()
    stop = await spending(world).stop(world.org_id, StopOrganisation(reason="it bites"), "user:t")
    assert (stop.stopped, stop.by, stop.reason) == (True, "user:t", "it bites")

    async def all_ended() -> bool:
        # One that changed its state in that very moment is ended by the loop a little later.
        return (await spending(world).stopped(world.org_id)).cancelled == 6

    await eventually(all_ended)
    for each in [*running, *queued]:
        ended = await world.client.get(world.org_id, each.id)
        assert (ended.status, ended.cause) == (ExecutionStatus.CANCELLED, Cause.CANCELLED_BY_USER)
        assert ended.error is not None and "it bites" in ended.error.message
    await eventually(lambda: made.execution_id in world.neighbours.stopped)
    assert not world.gateway.dispatcher._tasks
    assert time.monotonic() - started < 2
    with pytest.raises(IllegalState, match="the organisation is stopped: it bites"):
        await world.create({})
    for gateway in (world, other):
        caller = Caller(gateway, agent.key.key, made.execution_id)
        status, body, headers = await eventually(partial(_refused, caller), 1.5)
        assert (status, body["error"]["code"], headers["x-should-retry"]) == (403, "stopped", "false")
        assert "it bites" in body["error"]["message"]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("how", ["cancel", "stop"])
async def test_a_call_at_the_provider_is_broken_off(paid: Paid, how: str, streamed: bool) -> None:
    await broken_off(paid, await paid.job(), paid.world, how, streamed)


async def test_a_cancel_reaches_the_calls_of_another_gateway(paid: Paid, make_world: WorldMaker) -> None:
    agent = await paid.job()
    other: World = await make_world(beside=paid.world)
    assert other.gateway._active.get(agent.execution_id) is None
    await broken_off(paid, agent, other, "cancel", streamed=False)
    assert paid.world.gateway._active.get(agent.execution_id) is None


async def broken_off(paid: Paid, agent: Caller, ending: World, how: str, streamed: bool) -> None:
    """End an execution while its call is at the provider, by way of this gateway."""
    more: dict[str, Any] = {"model": "paid-drip", "stream": True} if streamed else {"max_tokens": 100}
    if not streamed:
        paid.upstream.released.clear()
    calling = asyncio.create_task(agent.call(**more))
    await eventually(lambda: paid.upstream.requests)
    await asyncio.sleep(0.2)
    if how == "stop":
        await paid.spending.stop(ending.org_id, StopOrganisation(reason="it bites"), "user:t")
    else:
        await ending.client.cancel(ending.org_id, agent.execution_id, "user:t")
    status, body, headers = await asyncio.wait_for(calling, 10)
    if not streamed:
        # The connection to the provider is closed too, so that it need not go on.
        await eventually(lambda: not paid.upstream.at_once, 2)
        assert (status, body["error"]["code"]) == (403, "cancelled_by_user")
        assert headers["x-should-retry"] == "false"
    step = await eventually(partial(_stored, agent))
    assert (step.status, step.cause) == ("cancelled", Cause.CANCELLED_BY_USER)
    assert "was ended" in step.error
    assert ('"on"' in step.response_text) is streamed


async def _stored(agent: Caller) -> Any:
    with suppress(NotFound):
        return await agent.step(1)


async def _refused(caller: Caller) -> Any:
    answer = await caller.call("scripted/echo")
    return answer if answer[0] != 200 else None


async def test_a_stop_outlives_a_restart_and_ends_what_slipped_through(make_world: WorldMaker) -> None:
    world: World = await make_world(default_route="scripted")
    created = await world.create({"do": "sleep"})
    # As if another replica had taken it in the moment of the stop.
    await world.platform.db.execute(
        "INSERT INTO organisation_stops (org_id, reason, stopped_by) VALUES ($1, 'x', 'user:t')", world.org_id
    )
    ended = await world.client.wait(world.org_id, created.id, 5)
    assert ended.status is ExecutionStatus.CANCELLED
    again: World = await make_world(beside=world, default_route="scripted")
    with pytest.raises(IllegalState):
        await again.create({})
    assert (await spending(again).stopped(world.org_id)).stopped
    lifted = await spending(again).lift_stop(world.org_id, "user:t")
    assert not lifted.stopped
    await again.create({})


async def test_another_organisation_goes_on(world: World) -> None:
    agent, other = await job(world), await make_organisation(world.platform.db)
    await spending(world).stop(other, StopOrganisation(reason="theirs"), "user:t")
    assert (await agent.call("scripted/echo"))[0] == 200


async def test_prices_have_versions(paid: Paid) -> None:
    agent = await paid.job()
    await agent.call("paid-dear", max_tokens=10)
    price = SetPrice(model="paid-dear", input_nano=7, output_nano=9, cached_input_nano=1)
    first = await paid.spending.set_price(price, "user:t")
    second = await paid.spending.set_price(price.model_copy(update={"output_nano": 11}), "user:t")
    assert (first.version, second.version, second.source) == (1, 2, "user:t")
    await agent.call("paid-dear", max_tokens=10)
    old, new = await agent.step(1), await agent.step(2)
    assert old.cost_nano == old.tokens_in * 1_000 + old.tokens_out * 10_000
    assert new.cost_nano == new.tokens_in * 7 + new.tokens_out * 11
    assert (await paid.spending.price_of("paid-dear")).output_nano == 11
    assert (await paid.spending.price_of("gpt-4o-mini-2024-07-18")).source == "built-in"
    shown = await paid.spending.prices(history=True)
    assert [each.version for each in shown if each.model == "paid-dear"] == [2, 1]
    with pytest.raises(NotFound):
        await paid.spending.price_of("nobody-knows")
