"""Forks and replays through the gateway, with agents as processes and a provider that counts."""

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.report import Report
from services.chassis.errors import IllegalState, Invalid
from services.contracts.executions import Execution
from services.contracts.time_travel import Edit
from tests.services.agent_gateway.conftest import eventually
from tests.services.agent_gateway.replay.conftest import Travel
from tests.soak import count, recorded


@pytest.fixture(scope="module")
def figures() -> Iterator[Report]:
    tests = "tests/services/agent_gateway/replay/test_forks.py -m drill"
    with recorded("replays", "replays of five parallel calls a turn, generated agents", tests) as report:
        yield report


async def test_a_fork_at_15_of_20_pays_for_six_calls_at_most(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 20})
    before = await travel.raw(source, list(range(1, 21)))
    assert travel.upstream.calls == 20

    (fork,) = await travel.fork(source, at_step=15)
    assert (fork.status, fork.relation, fork.parent_step) == ("succeeded", "fork", 15), fork.error
    assert (fork.parent_execution_id, fork.root_execution_id) == (source.id, source.id)
    assert travel.upstream.calls - 20 <= 6
    assert fork.output["heard"][:14] == source.output["heard"][:14]
    assert not set(fork.output["heard"][14:]) & set(source.output["heard"])
    assert fork.output["pid"] != source.output["pid"]

    steps = await travel.steps(fork)
    assert [each.seq for each in steps] == list(range(1, 21))
    assert [each.served_from for each in steps] == ["journal"] * 14 + ["live"] * 6
    assert all((each.source_execution_id, each.source_seq) == (source.id, each.seq) for each in steps[:14])
    assert not any(each.tokens_in + each.tokens_out + each.cost_nano for each in steps[:14])
    assert fork.tokens_in == 6 * 10
    after = await travel.raw(fork, list(range(1, 15)))
    assert [each.response_bytes for each in after] == [each.response_bytes for each in before[:14]]

    # The original is as it was, and the process of the fork was told to end.
    assert await travel.world.client.get(travel.world.org_id, source.id) == source
    assert await travel.raw(source, list(range(1, 21))) == before
    await eventually(lambda: fork.id in travel.world.neighbours.stopped)


async def test_a_replay_asks_nobody_and_says_the_same(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 4, "stream": True})
    (replay,) = await travel.fork(source)
    assert (replay.status, replay.relation) == ("succeeded", "replay"), replay.error
    assert travel.upstream.calls == 4
    assert replay.output["heard"] == source.output["heard"]
    one, other = await travel.raw(source, [1, 2, 3, 4]), await travel.raw(replay, [1, 2, 3, 4])
    assert [each.response_bytes for each in one] == [each.response_bytes for each in other]
    assert [each.response_chunks for each in one] == [each.response_chunks for each in other]
    assert all(len(each.response_chunks) > 1 for each in one)
    assert replay.tokens_in == replay.cost_nano == 0


async def test_identical_prompts_are_answered_in_recorded_order(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"same": 5})
    (fork,) = await travel.fork(source, at_step=4)
    assert len(set(source.output["heard"])) == 5
    assert fork.output["heard"][:3] == source.output["heard"][:3]
    assert fork.output["heard"][3] not in source.output["heard"]
    assert travel.upstream.calls == 7


@pytest.mark.drill
@pytest.mark.parametrize("identical", [False, True])
async def test_parallel_calls_replay_in_whatever_order_they_come(
    travel: Travel, identical: bool, figures: Report
) -> None:
    await travel.replica()
    source = await travel.run({"parallel": 5, "rounds": 2, "identical": identical})
    calls = travel.upstream.calls
    assert calls == source.steps == 14
    clean, replays = 0, 5 * count(1, 12)
    while clean < replays:
        for replay in await travel.fork(source, branches=5):
            assert (replay.status, replay.diverged_at) == ("succeeded", None), replay.error
            assert replay.output["heard"] == source.output["heard"]
            clean += 1
    assert travel.upstream.calls == calls
    kind = "identical" if identical else "different"
    figures.add(f"{kind} calls: clean replays of {replays}", clean, "", at_least=replays)
    figures.add(f"{kind} calls: asked of the provider", travel.upstream.calls - calls, "", at_most=0)


@pytest.mark.parametrize(("policy", "status"), [("fail", "failed"), ("live", "succeeded")])
async def test_an_agent_that_reads_the_clock_diverges(travel: Travel, policy: Any, status: str) -> None:
    await travel.replica()
    source = await travel.run({"turns": 5, "clock": 3})
    (replay,) = await travel.fork(source, on_divergence=policy)
    assert (replay.status, replay.diverged_at) == (status, 3), replay.error
    assert replay.divergence is not None and replay.divergence.source_step == 3
    changed = [line for line in replay.divergence.diff if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changed and all("step 3 at" in line for line in changed), replay.divergence.diff
    if policy == "fail":
        assert replay.cause == "diverged" and travel.upstream.calls == 5
        await eventually(lambda: replay.id in travel.world.neighbours.stopped)
    else:
        assert travel.upstream.calls == 5 + 3
        assert replay.output["heard"][:2] == source.output["heard"][:2]
        assert not set(replay.output["heard"][2:]) & set(source.output["heard"])


@pytest.mark.parametrize(("decision", "status"), [("fail", "failed"), ("live", "succeeded")])
async def test_a_divergence_can_wait_for_a_person(travel: Travel, decision: Any, status: str) -> None:
    await travel.replica()
    source = await travel.run({"turns": 3, "clock": 2})
    with pytest.raises(IllegalState):
        await travel.decide(source, "live")
    (made,) = await travel.forked(source, on_divergence="ask")

    async def waits() -> Execution | None:
        found = await travel.world.client.get(travel.world.org_id, made.id)
        return found if found.status == "waiting_for_input" else None

    waiting: Execution = await eventually(waits)
    assert waiting.diverged_at == 2 and waiting.cause == "diverged"
    assert travel.upstream.calls == 3
    await travel.decide(made, decision)
    ended = await travel.world.client.wait(travel.world.org_id, made.id, 30)
    assert ended.status == status, ended.error
    assert travel.upstream.calls == (3 if decision == "fail" else 5)


async def test_a_request_is_edited_on_its_way_out(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 3})
    edit = Edit(step=2, path="/messages/-", value={"role": "user", "content": "Be brief."})
    (fork,) = await travel.fork(source, edits=[edit], model="other")
    assert fork.status == "succeeded" and fork.parent_step == 2
    assert travel.upstream.calls == 3 + 2
    assert travel.upstream.requests[3]["messages"][-1]["content"] == "Be brief."
    assert travel.upstream.requests[3]["model"] == travel.upstream.requests[4]["model"] == "other"
    # The step holds what the agent sent, and beside it what went out instead.
    steps = await travel.steps(fork)
    assert [each.served_from for each in steps] == ["journal", "live", "live"]
    (kept,) = await travel.raw(fork, [2])
    assert b"Be brief" not in kept.request_bytes and "Be brief" in str(kept.request_patch)


async def test_a_response_is_edited_and_labelled(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 3, "stream": True})
    edit = Edit(step=2, target="response", path="/choices/0/message/content", value="My word")
    (fork,) = await travel.fork(source, edits=[edit])
    assert fork.output["heard"][:2] == [source.output["heard"][0], "My word"]
    assert [each.served_from for each in await travel.steps(fork)] == ["journal", "edit", "live"]
    assert travel.upstream.calls == 4
    assert travel.upstream.requests[3]["messages"][-2]["content"] == "My word"


async def test_a_fork_that_cannot_be_is_refused(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 2})
    with pytest.raises(Invalid, match="at_step must be at most 3"):
        await travel.forked(source, at_step=4)
    with pytest.raises(Invalid, match="has 2 steps"):
        await travel.forked(source, edits=[Edit(step=3, path="/model", value="x")])
    with pytest.raises(Invalid, match="leads nowhere"):
        await travel.forked(source, edits=[Edit(step=1, path="/nothing/here", value="x")])
    with pytest.raises(Invalid, match="must not be empty"):
        await travel.forked(source, edits=[Edit(step=1, value={})])


async def test_a_fork_of_a_fork_starts_from_the_fork(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 4})
    (fork,) = await travel.fork(source, at_step=3)
    (again,) = await travel.fork(fork, at_step=4)
    assert again.output["heard"][:3] == fork.output["heard"][:3]
    assert (again.root_execution_id, again.parent_execution_id) == (source.id, fork.id)
    tree = await travel.client.tree(travel.world.org_id, again.id)
    assert tree.execution.id == source.id
    assert [each.execution.id for each in tree.children] == [fork.id]
    assert [each.execution.id for each in tree.children[0].children] == [again.id]
