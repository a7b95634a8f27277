"""`kill -9` of agents at random moments after their tool was asked: in the end it ran once."""

import asyncio
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.report import Report
from tests.services.agent_gateway.conftest import World
from tests.services.agent_gateway.tools.conftest import Agent, ServeTools, again, agent, register
from tests.soak import count, recorded

TRIALS = count(12, 200)
AGENT = Path(__file__).with_name("booking_agent.py")


@pytest.fixture(scope="module")
def figures() -> Iterator[Report]:
    tests = "tests/services/agent_gateway/tools/test_kills.py"
    with recorded("effects", "agents killed around a write", tests) as report:
        yield report


@pytest.mark.drill
async def test_kills_at_random_moments_duplicate_no_write(
    open_world: World, serve: ServeTools, figures: Report
) -> None:
    """An agent books once an attempt and is killed at a random moment; in the end it has booked once."""
    tools = await serve()
    await register(open_world, tools)
    dice = random.Random(4)
    caught, kills = 0, 0
    for trial in range(TRIALS):
        caller, what = await agent(open_world), f"trial {trial}"
        for _ in range(dice.randint(1, 3)):
            process = await _start(caller, what)
            await asyncio.sleep(dice.random() * 0.04)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            kills += 1
            caught += tools.calls[f"book {what}"]
            caller = await again(caller)
        process = await _start(caller, what)
        assert process.stdout is not None
        assert (await process.stdout.readline()).decode().strip() == f"did book {what} 1"
        await process.wait()
    assert set(tools.calls.values()) == {1} and len(tools.calls) == TRIALS
    assert caught, "no agent was killed after its tool had run"
    figures.add("executions", TRIALS, "", at_least=TRIALS)
    figures.add("kills", kills, "")
    figures.add("kills after the tool had run", caught, "")
    figures.add("duplicate writes at the tool", sum(tools.calls.values()) - TRIALS, "", at_most=0)


async def _start(caller: Agent, what: str) -> asyncio.subprocess.Process:
    """The agent as a process of its own, once it is about to call."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(AGENT), f"{caller.world.url}/mcp/mock", caller.key, what, stdout=PIPE
    )
    assert process.stdout is not None and await process.stdout.readline() == b"ready\n"
    return process
