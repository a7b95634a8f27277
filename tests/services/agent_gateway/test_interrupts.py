"""An agent that asks: it waits without a process, is told the answer, and pays for nothing twice."""

from typing import Any

import pytest

from services.chassis.errors import IllegalState, NotFound
from services.chassis.ids import new_id
from services.contracts.executions import Answer, Execution, ExecutionStatus
from tests.services.agent_gateway.conftest import World, eventually

QUESTION = {"interrupt_id": "address", "question": "Where to?"}


async def waiting(world: World, made: Execution) -> Execution:
    async def looked() -> Execution | None:
        found = await world.client.get(world.org_id, made.id)
        return found if found.status is ExecutionStatus.WAITING_FOR_INPUT else None

    found: Execution = await eventually(looked)
    return found


async def resume(world: World, made: Execution, interrupt_id: str, value: Any) -> Execution:
    answer = Answer(interrupt_id=interrupt_id, value=value)
    return await world.client.resume(world.org_id, made.id, answer, "user:test")


async def test_an_agent_asks_and_goes_on(world: World) -> None:
    await world.agent()
    made = await world.create({"do": "ask", "question": QUESTION})
    held = await waiting(world, made)
    assert held.interrupt is not None
    assert (held.interrupt.interrupt_id, held.interrupt.data) == ("address", QUESTION)
    # Its place is free for others meanwhile.
    assert (await world.run({"do": "echo"})).status is ExecutionStatus.SUCCEEDED
    with pytest.raises(IllegalState, match="waits for 'address'"):
        await resume(world, made, "name", "?")
    with pytest.raises(NotFound):
        await world.client.resume(new_id(), made.id, Answer(interrupt_id="address"), "user:test")
    await resume(world, made, "address", {"street": "Rue Haute"})
    ended = await world.client.wait(world.org_id, made.id, 20)
    assert (ended.status, ended.attempt, ended.interrupt) == (ExecutionStatus.SUCCEEDED, 2, None)
    told = {"interrupt_id": "address", "value": {"street": "Rue Haute"}}
    assert ended.output == ["what is known", told]
    # What it asked its model again was answered from the journal.
    assert ended.steps == 1
    with pytest.raises(IllegalState, match="waits for no answer"):
        await resume(world, made, "address", "again")
    events = await world.client.events(world.org_id, made.id)
    assert [each.type for each in events if each.type != "status"] == ["interrupt"]


async def test_a_question_without_a_name_ends_with_its_execution(world: World) -> None:
    await world.agent()
    made = await world.create({"do": "ask", "question": "Sure?"}, thread_id="t", timeout_seconds=3)
    held = await waiting(world, made)
    assert held.interrupt is not None
    assert (held.interrupt.interrupt_id, held.interrupt.data) == ("input", "Sure?")
    # Its thread is at work; whoever waits there comes after it.
    after = await world.create({"do": "echo"}, thread_id="t")
    ended = await world.client.wait(world.org_id, made.id, 20)
    assert ended.status is ExecutionStatus.EXPIRED
    assert (await world.client.wait(world.org_id, after.id, 20)).status is ExecutionStatus.SUCCEEDED
