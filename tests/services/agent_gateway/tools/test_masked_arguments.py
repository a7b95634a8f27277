"""Arguments that change from run to run: declared or learnt, found in the journal and in the ledger."""

from typing import Any
from uuid import uuid4

import pytest

from services.chassis.errors import Invalid
from services.contracts.time_travel import (
    DecideMask,
    DeclareMask,
    Mask,
    NewMask,
    ReplayPlan,
    TimeTravelClient,
)
from tests.services.agent_gateway.conftest import World
from tests.services.agent_gateway.tools.conftest import Agent, ServeTools, again, agent, register

UUIDS = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


async def declared(world: World, **mask: Any) -> Mask:
    client = world.platform.client(TimeTravelClient, "backend")
    new = DeclareMask(agent_id=world.agent_id, agent_version=1, mask=NewMask(**mask))
    return await client.declare_mask(world.org_id, new, "user:t")


async def recorded(world: World, serve: ServeTools) -> Agent:
    await register(world, await serve())
    source = await agent(world)
    await source.call("book", f"order {uuid4()}")
    await source.call("look", f"order {uuid4()}")
    return source


async def rerun(world: World, source: Agent, **plan: Any) -> Agent:
    made = await agent(world)
    active = world.gateway._active.get(made.execution.id)
    assert active is not None
    active.replay = ReplayPlan(**{"source_execution_id": source.execution.id, **plan})
    return made


async def test_a_declared_mask_finds_what_was_recorded(open_world: World, serve: ServeTools) -> None:
    source = await recorded(open_world, serve)
    astray = await rerun(open_world, source)
    assert "diverged" in await astray.call("book", f"order {uuid4()}")

    mask = await declared(open_world, tool="mock/book", pointer="/what", pattern=UUIDS)
    assert (mask.state, mask.tool, mask.decided_by) == ("approved", "mock/book", "user:t")
    replay = await rerun(open_world, source)
    assert await replay.call("book", f"order {uuid4()}") == await _answer(source, 1)
    # It is that tool's: the same change in another's arguments is a difference still.
    assert "diverged" in await replay.call("look", f"order {uuid4()}")
    steps = await replay.steps()
    assert (steps[0].served_from, steps[0].source_seq) == ("journal", 1)


async def test_the_ledger_knows_a_masked_call_again(open_world: World, serve: ServeTools) -> None:
    source = await recorded(open_world, serve)
    await declared(open_world, tool="mock/book", pointer="/what", pattern=UUIDS)
    fork = await rerun(open_world, source, at_step=1)
    assert await fork.call("book", f"order {uuid4()}") == await _answer(source, 1)
    assert [each.served_from for each in await fork.steps()] == ["ledger"]
    # So does the attempt after a crash, which makes up another number.
    first = await agent(open_world)
    said = await first.call("book", f"order {uuid4()}")
    assert said == await (await again(first)).call("book", f"order {uuid4()}")


async def test_a_calibration_learns_masks_of_arguments(open_world: World, serve: ServeTools) -> None:
    source = await recorded(open_world, serve)
    calibration = await rerun(open_world, source, calibrate=True)
    assert await calibration.call("book", f"order {uuid4()}") == await _answer(source, 1)
    assert await calibration.call("look", f"order {uuid4()}") == await _answer(source, 2)
    client = open_world.platform.client(TimeTravelClient, "backend")
    masks = await client.masks(open_world.org_id, open_world.agent_id)
    assert {(each.tool, each.pointer, each.state) for each in masks} == {
        ("mock/book", "/what", "proposed"),
        ("mock/look", "/what", "proposed"),
    }
    for each in masks:
        await client.decide_mask(open_world.org_id, each.id, DecideMask(approve=True), "user:t")
    replay = await rerun(open_world, source)
    for seq, tool in enumerate(("book", "look"), 1):
        assert await replay.call(tool, f"order {uuid4()}") == await _answer(source, seq)
    assert "diverged" in await replay.call("look", "another order")


async def test_a_mask_that_cannot_be_used_is_refused(open_world: World) -> None:
    for bad in ({"pointer": "what", "pattern": "x"}, {"pointer": "/what", "pattern": "("}):
        with pytest.raises(Invalid, match="is not a"):
            await declared(open_world, tool="mock/book", **bad)


async def _answer(source: Agent, seq: int) -> str:
    step = (await source.steps())[seq - 1]
    text: str = step.response["result"]["content"][0]["text"]
    return text
