"""Forks of agents that call agents: a child is forked with its parent, and a parent for its child."""

from typing import Any
from uuid import UUID

import pytest

from services.contracts.executions import Execution
from tests.platform import make_agent
from tests.services.agent_gateway.replay.conftest import Travel

# The parent's steps: two of its model, the call of the other agent, two more of its model.
CALL, STEPS = 3, 5


@pytest.fixture
async def family(travel: Travel) -> tuple[Travel, Execution, Execution]:
    """A parent that called a child at its third step, and the child's own three steps."""
    child_agent = await make_agent(travel.world.platform.db, travel.world.org_id, name="child")
    await travel.replica()
    await travel.replica(child_agent)
    call = {"at": 2, "agent": "child", "input": {"turns": 3}}
    parent = await travel.run({"turns": 4, "call": call})
    (child,) = await children(travel, parent)
    assert (parent.steps, child.steps, travel.upstream.calls) == (STEPS, 3, 7)
    return travel, parent, child


async def children(travel: Travel, parent: Execution) -> list[Execution]:
    rows = await travel.world.platform.db.fetch(
        "SELECT id FROM executions WHERE parent_execution_id = $1 AND relation = 'child'", parent.id
    )
    return [await travel.world.client.get(travel.world.org_id, row["id"]) for row in rows]


async def served(travel: Travel, execution: Execution) -> list[Any]:
    return [each.served_from for each in await travel.steps(execution)]


Family = tuple[Travel, Execution, Execution]


async def test_a_child_before_the_fork_is_answered_from_the_journal(family: Family) -> None:
    travel, parent, _ = family
    (fork,) = await travel.fork(parent, at_step=STEPS)
    assert fork.status == "succeeded", fork.error
    assert await served(travel, fork) == ["journal"] * 4 + ["live"]
    assert await children(travel, fork) == []
    assert travel.upstream.calls == 7 + 1


async def test_a_child_behind_the_fork_is_forked_with_its_parent(family: Family) -> None:
    travel, parent, child = family
    (fork,) = await travel.fork(parent, at_step=CALL)
    assert fork.status == "succeeded", fork.error
    (again,) = await children(travel, fork)
    assert (again.status, again.parent_step, again.agent_version) == ("succeeded", CALL, child.agent_version)
    assert again.root_execution_id == parent.id
    assert await served(travel, again) == ["live"] * 3
    assert not set(again.output["heard"]) & set(child.output["heard"])
    assert travel.upstream.calls == 7 + 3 + 2
    assert await source_of(travel, again) == child.id


async def test_the_call_of_a_child_can_be_edited(family: Family) -> None:
    travel, parent, _ = family
    edit = {"step": CALL, "path": "/input/turns", "value": 1}
    (fork,) = await travel.fork(parent, edits=[edit])
    assert fork.status == "succeeded", fork.error
    (again,) = await children(travel, fork)
    assert (again.input["turns"], again.steps) == (1, 1)


async def test_a_fork_at_a_childs_step_forks_the_parent_around_it(family: Family) -> None:
    travel, parent, child = family
    before = [await travel.raw(parent, list(range(1, STEPS + 1))), await travel.raw(child, [1, 2, 3])]
    (fork,) = await travel.fork(child, at_step=3)
    assert (fork.status, fork.parent_execution_id, fork.agent_id) == ("succeeded", parent.id, parent.agent_id)
    assert await served(travel, fork) == ["journal", "journal", "live", "live", "live"]
    (again,) = await children(travel, fork)
    assert await served(travel, again) == ["journal", "journal", "live"]
    assert again.output["heard"][:2] == child.output["heard"][:2]
    assert travel.upstream.calls == 7 + 1 + 2
    for one in (parent, child):
        assert await travel.world.client.get(travel.world.org_id, one.id) == one
    # Both journals hold the bytes that they held, and no step more.
    assert [len(await travel.steps(one)) for one in (parent, child)] == [STEPS, 3]
    after = [await travel.raw(parent, list(range(1, STEPS + 1))), await travel.raw(child, [1, 2, 3])]
    assert after == before


async def test_a_child_can_be_forked_alone(family: Family) -> None:
    travel, _, child = family
    (fork,) = await travel.fork(child, at_step=3, with_parent=False)
    assert (fork.status, fork.parent_execution_id, fork.agent_id) == ("succeeded", child.id, child.agent_id)
    assert travel.upstream.calls == 7 + 1


async def source_of(travel: Travel, execution: Execution) -> UUID:
    row = await travel.world.platform.db.fetchrow(
        "SELECT replay ->> 'source_execution_id' AS source FROM executions WHERE id = $1", execution.id
    )
    assert row is not None
    return UUID(row["source"])
