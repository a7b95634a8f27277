"""Attempts after the first answer from what the earlier ones recorded: nothing is paid twice."""

import random
from collections.abc import Iterator

import pytest

from benchmarks.report import Report
from tests.services.agent_gateway.replay.conftest import Travel
from tests.soak import count, recorded

KILLS = count(3, 40)


@pytest.fixture(scope="module")
def figures() -> Iterator[Report]:
    tests = "tests/services/agent_gateway/replay/test_resume.py -m drill"
    with recorded("resume", "agents killed after a random call", tests) as report:
        yield report


@pytest.mark.drill
async def test_an_agent_killed_anywhere_pays_for_each_call_once(travel: Travel, figures: Report) -> None:
    for _ in range(2 + KILLS):
        await travel.replica()
    turns = 6
    for _ in range(KILLS):
        await travel.bury()
        before, die = travel.upstream.calls, random.randint(1, turns)
        execution = await travel.run({"turns": turns, "die": die})
        # Usually the second; a busy machine may send one more to the process that died before it is known.
        assert execution.attempt >= 2
        assert travel.upstream.calls - before == turns, f"killed after call {die}"
        steps = await travel.steps(execution)
        assert [each.seq for each in steps] == list(range(1, turns + 1))
        assert [each.attempt for each in steps] == [1] * die + [execution.attempt] * (turns - die)
        assert execution.steps == turns and execution.tokens_in == 10 * turns
    figures.add("kills", KILLS, "", at_least=KILLS)
    figures.add("calls at the provider", travel.upstream.calls, "", at_most=KILLS * turns)


async def test_parallel_calls_under_way_at_the_kill_are_paid_once(travel: Travel) -> None:
    for _ in range(3):
        await travel.replica()
    execution = await travel.run({"parallel": 5, "rounds": 2, "die": 4})
    whole = 2 * 7
    # What was under way when the process died may be asked for again; what was answered is not.
    answered = [each for each in await travel.steps(execution) if each.status == "succeeded"]
    assert len(answered) == whole
    assert whole <= travel.upstream.calls <= whole + 5


async def test_a_fork_that_is_killed_goes_on_where_it_was(travel: Travel) -> None:
    await travel.replica()
    await travel.replica()
    source = await travel.run({"turns": 6, "die": 5})
    paid = travel.upstream.calls
    assert paid == 6
    (fork,) = await travel.fork(source, at_step=3)
    assert (fork.status, fork.attempt, fork.diverged_at) == ("succeeded", 2, None), fork.error
    assert travel.upstream.calls - paid == 4
    assert fork.output["heard"][:2] == source.output["heard"][:2]
    steps = await travel.steps(fork)
    assert [each.seq for each in steps] == [1, 2, 3, 4, 5, 6]
    assert [each.served_from for each in steps] == ["journal"] * 2 + ["live"] * 4


async def test_a_divergence_is_not_asked_about_twice(travel: Travel) -> None:
    await travel.replica()
    await travel.replica()
    source = await travel.run({"turns": 5, "clock": 2, "die": 4})
    (fork,) = await travel.fork(source, on_divergence="live")
    assert (fork.status, fork.attempt, fork.diverged_at) == ("succeeded", 2, 2), fork.error
    assert fork.output["heard"][0] == source.output["heard"][0]
    assert not set(fork.output["heard"][1:]) & set(source.output["heard"])
