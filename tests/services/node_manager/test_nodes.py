"""Nodes come, fall silent, are lost and come back; what they run follows them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.chassis.errors import AlreadyExists, Forbidden, Invalid, NotFound, StaleEpoch
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agents import InstanceState
from services.contracts.executor import InstanceReport, Inventory
from services.contracts.node_manager import Cordon, NodeManagerClient
from services.contracts.nodes import NodeFacts, NodeState
from services.embedded.testing import WorkerStores
from services.node_manager.settings import NodeManagerSettings
from tests.control_brain.node import facts
from tests.platform import make_agent, make_organisation, platform_of
from tests.waiting import until_told

QUICK = NodeManagerSettings(lease_seconds=2, fence_seconds=2.5, grace_seconds=1, margin_seconds=0.5)


@pytest.fixture
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    environment = stores.fresh_database().migration_environment()
    async with platform_of(["node-manager"], environment, overrides=[QUICK]) as platform:
        yield platform


def executor(platform: TestPlatform) -> NodeManagerClient:
    return platform.client(NodeManagerClient, "executor")


async def ordered(platform: TestPlatform, node: NodeFacts, **columns: Any) -> InstanceReport:
    """An instance that the brain has ordered from a node, as the node would report it running."""
    org_id = await make_organisation(platform.db)
    agent_id = await make_agent(platform.db, org_id)
    instance_id, run_id = new_id(), new_id()
    await platform.db.execute(
        "INSERT INTO agent_instances (org_id, id, agent_id, agent_version, generation, owner_kind, ordinal,"
        " run_id, spec, desired_state, node_id, cpu_millicores, memory_bytes)"
        " VALUES ($1, $2, $3, 1, 1, 'replica', 0, $4, '{}', 'running', $5, 1000, 1)",
        *(org_id, instance_id, agent_id, run_id, node.node_id),
    )
    seen = {"state": InstanceState.RUNNING, "ready": True, "endpoint": "http://127.0.0.1:9", **columns}
    return InstanceReport.model_validate(
        {
            "instance_id": instance_id,
            "org_id": org_id,
            "agent_id": agent_id,
            "incarnation": 1,
            "run_id": run_id,
            **seen,
        }
    )


def inventory(node: NodeFacts, seq: int, *reports: InstanceReport) -> Inventory:
    return Inventory(node_id=node.node_id, boot_id=node.boot_id, seq=seq, instances=list(reports))


async def observed(platform: TestPlatform, instance_id: UUID) -> tuple[str, bool]:
    (row,) = await platform.db.fetch(
        "SELECT observed_state, observed_ready FROM agent_instances WHERE id = $1", instance_id
    )
    return row["observed_state"], row["observed_ready"]


async def events(platform: TestPlatform, subject_id: UUID) -> list[str]:
    rows = await platform.db.fetch("SELECT payload FROM outbox WHERE subject_id = $1 ORDER BY id", subject_id)
    return [row["payload"]["type"] for row in rows]


def state_of(platform: TestPlatform, node: NodeFacts) -> Callable[[], Awaitable[NodeState | None]]:
    async def look() -> NodeState | None:
        nodes = await executor(platform).nodes()
        return next((each.state for each in nodes if each.node_id == node.node_id), None)

    return look


async def test_a_node_registers_and_keeps_its_lease(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    with pytest.raises(NotFound):
        await manager.renew(node.node_id, node.boot_id)
    lease = await manager.register(node)
    assert (lease.ttl_seconds, lease.fence_after_seconds) == (2, 2.5)
    assert (await manager.renew(node.node_id, node.boot_id)).expires_at > lease.expires_at
    with pytest.raises(StaleEpoch):
        await manager.renew(node.node_id, new_id())
    (seen,) = await manager.nodes()
    assert (seen.state, seen.runtimes) == (NodeState.READY, node.runtimes)
    with pytest.raises(AlreadyExists):
        await manager.register(facts("a"))
    with pytest.raises(Forbidden):
        await platform.client(NodeManagerClient, "agent-gateway").register(node)


async def test_what_a_node_reports_is_written_once_and_in_order(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    await manager.register(node)
    run = await ordered(platform, node, state="starting", ready=False)
    ready = run.model_copy(update={"state": InstanceState.RUNNING, "ready": True})
    await manager.report(inventory(node, 1, run))
    await manager.report(inventory(node, 2, ready))
    await manager.report(inventory(node, 3, ready))
    assert await observed(platform, run.instance_id) == ("running", True)
    # An inventory that was overtaken on its way changes nothing.
    await manager.report(inventory(node, 2, run))
    assert await observed(platform, run.instance_id) == ("running", True)
    assert [each.run_id for each in await manager.endpoints()] == [run.run_id]
    await manager.report(inventory(node, 4, ready.model_copy(update={"ready": False})))
    gone = ready.model_copy(update={"state": InstanceState.EXITED, "ready": False})
    receipt = await manager.report(inventory(node, 5, gone))
    assert receipt.forget == [run.run_id]
    # The end is final, and told again until the node has heard that it may forget.
    assert (await manager.report(inventory(node, 6, gone))).forget == [run.run_id]
    await manager.report(inventory(node, 7, ready))
    assert await observed(platform, run.instance_id) == ("exited", False)
    told = ["instance.started", "instance.ready", "instance.unready", "instance.exited"]
    assert await events(platform, run.instance_id) == told


async def test_what_a_node_no_longer_reports_is_lost(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    await manager.register(node)
    run, waiting = await ordered(platform, node), await ordered(platform, node)
    await manager.report(inventory(node, 1, run))
    await manager.report(inventory(node, 2))
    assert await observed(platform, run.instance_id) == ("lost", False)
    # An order that is still on its way is not missing.
    assert await observed(platform, waiting.instance_id) == ("pending", False)


async def test_which_processes_have_ended_is_told(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    await manager.register(node)
    run, waiting, ending = [await ordered(platform, node) for _ in range(3)]
    await manager.report(inventory(node, 1, run, ending))
    await manager.report(inventory(node, 2, run))
    unknown = new_id()
    asked = [run.run_id, waiting.run_id, ending.run_id, unknown]
    assert set(await manager.ended_runs(asked)) == {ending.run_id, unknown}
    for ago, still in ((timedelta(minutes=1), True), (timedelta(hours=1), False)):
        await platform.db.execute(
            "UPDATE agent_instances SET retired_at = now() - $2::interval WHERE id = $1",
            run.instance_id,
            ago,
        )
        assert (run.run_id not in await manager.ended_runs(asked)) is still


async def test_a_new_boot_loses_what_the_old_one_ran(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    await manager.register(node)
    run = await ordered(platform, node)
    await manager.report(inventory(node, 9, run))
    booted = node.model_copy(update={"boot_id": new_id()})
    await manager.register(booted)
    assert await observed(platform, run.instance_id) == ("lost", False)
    with pytest.raises(StaleEpoch):
        await manager.report(inventory(node, 10, run))
    # The old process was found again after all: numbering starts anew and the brain has not replaced it yet.
    await manager.report(inventory(booted, 1, run))
    assert await observed(platform, run.instance_id) == ("running", True)


async def test_processes_nobody_wants_are_listed(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    await manager.register(node)
    run = await ordered(platform, node)
    old = run.model_copy(update={"run_id": new_id(), "incarnation": 1})
    ended = old.model_copy(update={"run_id": new_id(), "state": InstanceState.EXITED})
    receipt = await manager.report(inventory(node, 1, run, old, ended))
    assert receipt.forget == [ended.run_id]
    rows = await platform.db.fetch("SELECT run_id FROM node_orphans")
    assert [row["run_id"] for row in rows] == [old.run_id]
    await manager.report(inventory(node, 2, run))
    assert not await platform.db.fetch("SELECT FROM node_orphans")


async def test_a_silent_node_is_lost_with_what_it_runs_and_may_come_back(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    await manager.register(node)
    run, waiting = await ordered(platform, node), await ordered(platform, node)
    await manager.report(inventory(node, 1, run))
    look = state_of(platform, node)
    await until_told(look, lambda state: state is NodeState.SILENT)
    assert await observed(platform, run.instance_id) == ("running", True)
    await manager.renew(node.node_id, node.boot_id)
    assert await look() is NodeState.READY
    await until_told(look, lambda state: state is NodeState.LOST)
    assert await observed(platform, run.instance_id) == ("lost", False)
    assert await observed(platform, waiting.instance_id) == ("lost", False)
    assert (await events(platform, run.instance_id))[-1] == "instance.lost"
    for attempt in (manager.renew(node.node_id, node.boot_id), manager.report(inventory(node, 2, run))):
        with pytest.raises(StaleEpoch):
            await attempt
    await manager.register(node)
    assert await look() is NodeState.READY
    assert await events(platform, node.node_id) == ["node.changed"] * 6


async def test_a_manager_that_was_away_evicts_nobody(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    await manager.register(node)
    await platform.db.execute("UPDATE node_leases SET expires_at = now() - interval '1 hour'")
    look, started = state_of(platform, node), asyncio.get_running_loop().time()
    await until_told(look, lambda state: state is NodeState.SILENT)
    await manager.renew(node.node_id, node.boot_id)
    assert await look() is NodeState.READY
    await platform.db.execute("UPDATE node_leases SET expires_at = now() - interval '1 hour'")
    await until_told(look, lambda state: state is NodeState.LOST)
    assert asyncio.get_running_loop().time() - started > QUICK.lease_seconds


async def test_cordon_drain_and_uncordon(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    await manager.register(node)
    people = platform.client(NodeManagerClient)
    assert (await people.cordon(node.node_id, Cordon(cordoned=False, drain=True))).cordoned
    assert not (await people.cordon(node.node_id, Cordon(cordoned=False))).cordoned
    with pytest.raises(NotFound):
        await people.cordon(new_id(), Cordon(cordoned=True))


async def test_an_inventory_of_another_node_is_refused(platform: TestPlatform) -> None:
    node, manager = facts("a"), executor(platform)
    await manager.register(node)
    foreign = inventory(node, 1)
    with pytest.raises(Invalid):
        await manager._call("PUT", f"/nodes/{new_id()}/inventory", None, body=foreign)
    with pytest.raises(NotFound):
        await manager.report(inventory(facts("b"), 1))
