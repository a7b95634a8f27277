"""Two branches beside each other, step by step."""

from services.contracts.executions import Execution
from services.contracts.time_travel import Comparison, Edit
from tests.services.agent_gateway.replay.conftest import Travel


async def compared(travel: Travel, left: Execution, right: Execution) -> Comparison:
    return await travel.client.diff(travel.world.org_id, left.id, right.id)


async def test_a_fork_is_the_same_up_to_its_step(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 6})
    (fork,) = await travel.fork(source, at_step=4)
    found = await compared(travel, source, fork)
    assert found.common_prefix == 3
    assert [each.change for each in found.aligned] == ["same"] * 3 + ["diverged"] * 3
    # At the fork the same was asked and something else was answered; from there on the requests differ too.
    at_fork, after = found.aligned[3].diff, found.aligned[4].diff
    assert "--- response" in at_fork and "--- request" not in at_fork
    assert "--- request" in after
    assert (found.left.steps, found.right.steps) == (6, 6)
    assert (found.left.tokens_in, found.right.tokens_in) == (60, 30)
    assert found.right.duration_seconds > 0


async def test_a_replay_is_the_same_throughout(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"parallel": 3, "rounds": 2, "identical": True})
    (replay,) = await travel.fork(source)
    found = await compared(travel, source, replay)
    assert {each.change for each in found.aligned} == {"same"}
    assert found.common_prefix == source.steps


async def test_what_was_edited_is_called_so(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 3})
    word = Edit(step=2, target="response", path="/choices/0/message/content", value="My word")
    (fork,) = await travel.fork(source, edits=[word])
    found = await compared(travel, source, fork)
    assert [each.change for each in found.aligned] == ["same", "edited", "diverged"]
    assert any("My word" in line for line in found.aligned[1].diff)

    ask = Edit(step=3, path="/messages/0/content", value="Run.")
    (other,) = await travel.fork(source, edits=[ask])
    found = await compared(travel, source, other)
    assert [each.change for each in found.aligned] == ["same", "same", "edited"]
    assert any(line.startswith("+") and "Run." in line for line in found.aligned[2].diff)


async def test_executions_of_different_lengths_are_aligned_by_content(travel: Travel) -> None:
    await travel.replica()
    longer = await travel.run({"turns": 3})
    (branch,) = await travel.fork(longer, at_step=3)
    shorter = await travel.run({"same": 1})
    found = await compared(travel, longer, shorter)
    changes = [each.change for each in found.aligned]
    assert changes == ["diverged", "missing", "missing"]
    found = await compared(travel, shorter, longer)
    assert [each.change for each in found.aligned] == ["diverged", "added", "added"]
    # Two forks of one original: what both took from it is the same by content.
    (other,) = await travel.fork(longer, at_step=3)
    found = await compared(travel, branch, other)
    assert [each.change for each in found.aligned] == ["same", "same", "diverged"]
