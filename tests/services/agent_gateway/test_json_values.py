"""Inputs and outputs of every JSON kind come through, also when many are written at once."""

import asyncio
from typing import Any

from services.contracts.executions import ExecutionStatus
from tests.services.agent_gateway.conftest import World

VALUES: list[Any] = [[], [1], [1, 2], [[1], [2, 3]], ["a", {"b": [None]}], "text", 7, None]


async def test_lists_stay_lists(world: World) -> None:
    await world.agent(concurrency=16)
    ended = await asyncio.gather(*(world.run(value) for value in VALUES))
    assert [each.status for each in ended] == [ExecutionStatus.SUCCEEDED] * len(VALUES)
    for value, each in zip(VALUES, ended, strict=True):
        assert each.input == value
        echoed = each.output["echo"]
        assert echoed == value
