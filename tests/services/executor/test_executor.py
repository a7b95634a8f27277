"""The executor among its neighbours: orders, reports, jobs, keys, probes, logs, fencing off stale orders."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio

from services import assembly
from services.chassis.testing import platform_settings, running
from services.contracts.agents import Cause, InstanceState
from services.contracts.catalog import CALLERS
from services.contracts.executor import ExecutorClient, Order, OrderReceipt
from services.executor.logic import Executor
from services.executor.service import service
from services.executor.settings import ExecutorSettings
from tests.services.executor.neighbours import Neighbours
from tests.services.executor.workbench import PYTHON_SERVER, make_directory, order, sweep
from tests.waiting import until


@dataclass
class Node:
    client: ExecutorClient
    logic: Executor
    told: Neighbours
    directory: Path

    async def give(self, wanted: Order, **changes: Any) -> OrderReceipt:
        return await self.client.order(wanted.model_copy(update=changes))

    async def exited(self, wanted: Order) -> Any:
        return await until(lambda: self.told.exits.get(wanted.run_id))

    async def ready(self, wanted: Order) -> Any:
        def seen() -> Any:
            report = self.told.newest.get(wanted.instance_id)
            return report if report is not None and report.run_id == wanted.run_id and report.ready else None

        return await until(seen)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def node() -> AsyncIterator[Node]:
    async with among_neighbours(docker_driver="off") as made:
        yield made


@asynccontextmanager
async def among_neighbours(**more: Any) -> AsyncIterator[Node]:
    """An executor that runs processes, and whatever else it is told to."""
    directory, told = make_directory(), Neighbours()
    knobs = ExecutorSettings(
        directory=directory, process_driver="on", probe_seconds=0.2, probe_timeout=0.3, **more
    )
    settings = platform_settings({}, CALLERS)
    async with running([service, *told.services()], settings, assembly.PORTS, overrides=[knobs]) as platform:
        yield Node(
            platform.client(ExecutorClient, "control-brain"), platform.logic("executor"), told, directory
        )
        await sweep(directory)
    shutil.rmtree(directory, ignore_errors=True)


def server(**more: Any) -> Order:
    return order("python", "-c", PYTHON_SERVER, mode="service", **more)


async def test_a_job_runs_and_its_result_is_told_once_taken(node: Node) -> None:
    wanted = order("python", "-c", "print('working'); print('{\"answer\": 42}')")
    assert (await node.give(wanted)).accepted
    seen = await node.exited(wanted)
    assert (seen.exit.code, seen.exit.cause) == (0, None)
    assert wanted.execution_id is not None
    result = await until(lambda: node.told.result(wanted))
    assert (result.has_output, result.output) == (True, {"answer": 42})
    await until(lambda: wanted.run_id in node.told.revoked)
    await until(lambda: node.told.printed(wanted.run_id) == ["working", '{"answer": 42}'])
    await until(lambda: wanted.instance_id not in node.told.newest)
    await until(lambda: not list((node.directory / "instances").glob(f"{wanted.instance_id}*")))
    # The brain may deliver once more before it has seen the end.
    assert (await node.give(wanted)).accepted
    assert node.told.jobs[wanted.execution_id] == 1


async def test_a_failure_carries_code_and_last_lines(node: Node) -> None:
    wanted = order("sh", "-c", "for i in $(seq 80); do echo line $i; done; exit 9")
    await node.give(wanted)
    seen = await node.exited(wanted)
    assert (seen.exit.code, seen.exit.cause) == (9, Cause.EXIT_NONZERO)
    assert seen.exit.last_log == [f"line {i}" for i in range(31, 81)]


async def test_results_wait_for_a_gateway_that_is_down(node: Node) -> None:
    wanted = order("sh", "-c", "sleep 0.3; echo 1")
    await node.give(wanted)
    await until(lambda: node.told.keys[wanted.run_id])
    node.told.gateway_down = True
    await node.exited(wanted)
    assert wanted.execution_id not in node.told.results
    node.told.gateway_down = False
    assert wanted.execution_id is not None
    assert (await until(lambda: node.told.result(wanted))).output == 1


async def test_a_service_becomes_ready_and_stops(node: Node) -> None:
    wanted = server()
    await node.give(wanted)
    report = await node.ready(wanted)
    assert report.endpoint is not None and report.state is InstanceState.RUNNING
    assert report.isolation is not None and set(report.enforcement) == {"memory", "cpu", "pids"}
    assert [sample.run_id for sample in await node.client.stats()].count(wanted.run_id) == 1
    await node.give(wanted, kind="stop", grace_seconds=5)
    assert (await node.exited(wanted)).exit.cause is Cause.AGENT_SHUTDOWN


async def test_an_agent_that_stops_answering_is_ended(node: Node) -> None:
    code = PYTHON_SERVER.replace(
        "def do_GET(self):", "count = 0\n    def do_GET(self):\n        Agent.count += 1"
    ).replace(
        'if self.path == "/through":', "if Agent.count > 3: return\n        if self.path == '/through':"
    )
    wanted = order("python", "-c", code, mode="service", spec={"stop_grace_seconds": 1})
    await node.give(wanted)
    seen = await node.exited(wanted)
    assert seen.exit.cause is Cause.PROBE_FAILED
    assert "/healthz" in seen.exit.failed_probe


async def test_an_agent_that_never_answers_is_ended(node: Node) -> None:
    wanted = order("sleep", "60", mode="service", spec={"start_timeout_seconds": 1, "stop_grace_seconds": 1})
    await node.give(wanted)
    assert "not ready within 1 s" in (await node.exited(wanted)).exit.failed_probe


async def test_old_epochs_and_old_incarnations_are_refused(node: Node) -> None:
    first = server()
    await node.give(first, epoch=5)
    await node.ready(first)
    stale = await node.give(order("true"), epoch=4)
    assert not stale.accepted and "stale_epoch" in str(stale.reason)
    second = server(instance_id=first.instance_id, incarnation=2)
    assert (await node.give(second, epoch=5)).accepted
    assert (await node.exited(first)).exit.cause is Cause.INSTANCE_REPLACED
    await node.ready(second)
    late = await node.give(first, epoch=5)
    assert not late.accepted and "stale_epoch" in str(late.reason)
    await node.give(second, kind="kill", epoch=5)
    await node.exited(second)


async def test_a_stop_that_overtakes_its_start_wins(node: Node) -> None:
    wanted = order("true", epoch=5)
    assert (await node.give(wanted, kind="stop")).accepted
    assert (await node.give(wanted)).accepted
    assert wanted.instance_id not in {one.instance_id for one in (await node.client.inventory()).instances}


async def test_what_this_node_cannot_run_is_refused_with_a_reason(node: Node) -> None:
    receipt = await node.give(order(epoch=5, spec={"docker_image": "postgres:16"}))
    assert not receipt.accepted
    assert str(receipt.reason).startswith("runtime_unavailable: ")


async def test_registers_with_what_it_can_do(node: Node) -> None:
    facts = await until(lambda: node.told.facts)
    assert facts.runtimes["python"] >= "3.11"
    assert facts.images == ["agent-runtime:latest"]
    assert "available" in facts.isolation.values()
    assert facts.capacity_bytes > 0 and facts.capacity_millicores >= 1000


async def test_a_singleton_needs_a_lease(node: Node) -> None:
    await until(lambda: node.logic._registration.age() < 10)
    wanted = server(epoch=5, spec={"singleton": True})
    assert (await node.give(wanted)).accepted
    await node.ready(wanted)
    await node.give(wanted, kind="kill", epoch=5)
    await node.exited(wanted)


async def test_agents_left_running_do_not_hold_up_the_end(node: Node) -> None:
    wanted = server(epoch=5)
    await node.give(wanted)
    await node.ready(wanted)
