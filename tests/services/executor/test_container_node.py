"""A node with an engine among its neighbours: images become containers, the rest stays a process."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.contracts.agents import Cause
from tests.services.executor.containers import IMAGE, needs_engine
from tests.services.executor.test_executor import Node, among_neighbours
from tests.services.executor.workbench import PYTHON_SERVER, order
from tests.waiting import until

pytestmark = needs_engine
ON_IMAGE = {"docker_image": IMAGE}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def node() -> AsyncIterator[Node]:
    async with among_neighbours(docker_driver="on") as made:
        yield made


async def test_a_node_says_that_it_runs_containers(node: Node) -> None:
    facts = await until(lambda: node.told.facts)
    assert facts.drivers == ["process", "docker"]
    assert "cgroup v" in facts.runtimes["docker"]


async def test_a_job_in_a_container_is_told_as_any_other(node: Node) -> None:
    wanted = order("python3", "-c", "print('working'); print('{\"answer\": 42}')", spec=ON_IMAGE)
    assert (await node.give(wanted)).accepted
    seen = await node.exited(wanted)
    assert (seen.exit.code, seen.exit.cause) == (0, None)
    assert (await until(lambda: node.told.result(wanted))).output == {"answer": 42}
    await until(lambda: node.told.printed(wanted.run_id) == ["working", '{"answer": 42}'])
    await until(lambda: not list((node.directory / "instances").glob(f"{wanted.instance_id}*")))


async def test_a_service_in_a_container_is_probed_measured_and_stopped(node: Node) -> None:
    wanted = order("python3", "-c", PYTHON_SERVER, mode="service", spec=ON_IMAGE)
    assert (await node.give(wanted)).accepted
    seen = await node.ready(wanted)
    assert (seen.isolation, seen.enforcement["memory"]) == ("namespaces", "cgroup")
    assert seen.endpoint.startswith("http://127.0.0.1:")
    stats = {one.run_id: one for one in await node.client.stats()}
    assert stats[wanted.run_id].memory_bytes > 1_000_000
    assert (await node.give(wanted, kind="stop", command_id="stop", grace_seconds=5)).accepted
    assert (await node.exited(wanted)).exit.cause is Cause.AGENT_SHUTDOWN


async def test_a_container_that_ends_is_replaced_by_its_next_incarnation(node: Node) -> None:
    first = order("python3", "-c", PYTHON_SERVER, mode="service", spec=ON_IMAGE)
    await node.give(first)
    await node.ready(first)
    second = first.model_copy(update={"incarnation": 2, "run_id": order().run_id, "command_id": "heal"})
    assert (await node.give(second)).accepted
    await node.ready(second)
    assert (await node.exited(first)).exit.cause is Cause.INSTANCE_REPLACED
    await node.give(second, kind="kill", command_id="kill")
    await node.exited(second)


async def test_an_image_that_cannot_be_pulled_is_its_own_cause(node: Node) -> None:
    wanted = order(spec={"docker_image": "no-such.invalid/agent:1"})
    assert (await node.give(wanted)).accepted
    seen = await node.exited(wanted)
    assert seen.exit.cause is Cause.IMAGE_PULL_FAILED
    assert "no-such.invalid" in seen.exit.message
