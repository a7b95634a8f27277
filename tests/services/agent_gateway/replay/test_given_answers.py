"""Replays of agents that asked: they are given the recorded answer, a fork at the question asks anew."""

import sys

import pytest

from services.contracts.executions import Execution, ExecutionStatus
from tests.services.agent_gateway.conftest import AGENT
from tests.services.agent_gateway.replay.conftest import Travel
from tests.services.agent_gateway.test_interrupts import QUESTION, resume, waiting

# Its only step: what it asked its model before it asked its person.
ASKED_AT = 1


@pytest.fixture
async def asked(travel: Travel) -> Execution:
    """An execution whose agent asked, and was answered."""
    travel.command = [sys.executable, str(AGENT)]
    await travel.replica()
    made = await travel.world.create({"do": "ask", "question": QUESTION})
    await waiting(travel.world, made)
    await resume(travel.world, made, "address", "Rue Haute 1")
    ended = await travel.world.client.wait(travel.world.org_id, made.id, 20)
    assert ended.status is ExecutionStatus.SUCCEEDED
    return ended


async def test_a_replay_is_given_the_recorded_answer(travel: Travel, asked: Execution) -> None:
    (replay,) = await travel.fork(asked)
    assert (replay.status, replay.output) == (ExecutionStatus.SUCCEEDED, asked.output)
    assert [each.served_from for each in await travel.steps(replay)] == ["journal"]
    events = await travel.world.client.events(travel.world.org_id, replay.id)
    (given,) = [each for each in events if each.type == "status" and "resume" in (each.data or {})]
    assert given.actor == "agent-gateway" and given.data["resume"]["value"] == "Rue Haute 1"


async def test_a_fork_at_the_question_asks_anew(travel: Travel, asked: Execution) -> None:
    (fork,) = await travel.forked(asked, at_step=ASKED_AT + 1)
    await waiting(travel.world, fork)
    await resume(travel.world, fork, "address", "Rue Basse 2")
    ended = await travel.world.client.wait(travel.world.org_id, fork.id, 30)
    assert ended.output == ["what is known", {"interrupt_id": "address", "value": "Rue Basse 2"}]
