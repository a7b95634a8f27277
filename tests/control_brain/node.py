"""A node for tests: a real HTTP executor that takes orders and reports, whose processes are only rows."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from aiohttp import web

from services.chassis.clock import Clock
from services.chassis.errors import PlatformError
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agents import InstanceExit, InstanceState
from services.contracts.executor import InstanceReport, Inventory, InventoryReceipt, Order, OrderReceipt
from services.contracts.node_manager import NodeManagerClient
from services.contracts.nodes import NodeFacts, NodeLease


@dataclass
class Node:
    """What an executor does with its instances, without the processes."""

    manager: NodeManagerClient
    facts: NodeFacts
    starts: bool = True
    becomes_ready: bool = True
    obeys_stops: bool = True
    refusal: str | None = None
    silent: bool = False
    delay_seconds: float = 0
    seq: int = 0
    deliveries: int = 0
    # Each order once, however often it came.
    taken: list[Order] = field(default_factory=list)
    runs: dict[UUID, InstanceReport] = field(default_factory=dict)
    # The highest ended incarnation of each instance: an order that comes late or again starts nothing.
    ended: dict[UUID, int] = field(default_factory=dict)

    @property
    def alive(self) -> list[InstanceReport]:
        return [run for run in self.runs.values() if run.state is not InstanceState.EXITED]

    async def register(self) -> NodeLease:
        return await self.manager.register(self.facts)

    async def renew(self) -> NodeLease:
        return await self.manager.renew(self.facts.node_id, self.facts.boot_id)

    async def keep_lease(self) -> None:
        """Renew for as long as the node is not silent."""
        while True:
            await asyncio.sleep(0.4)
            if not self.silent:
                with contextlib.suppress(PlatformError):
                    await self.renew()

    async def report(self) -> InventoryReceipt:
        self.seq += 1
        inventory = Inventory(
            node_id=self.facts.node_id,
            boot_id=self.facts.boot_id,
            seq=self.seq,
            instances=list(self.runs.values()),
        )
        receipt = await self.manager.report(inventory)
        for run_id in receipt.forget:
            self.runs.pop(run_id, None)
        return receipt

    async def end(self, run_id: UUID, *, ready_at: datetime | None = None, **how: Any) -> None:
        """Let a process end by itself."""
        self._exit(run_id, InstanceExit(**how), ready_at)
        await self.report()

    async def take(self, request: web.Request) -> web.Response:
        order = Order.model_validate_json(await request.read())
        await asyncio.sleep(self.delay_seconds)
        self.deliveries += 1
        if all(each.command_id != order.command_id for each in self.taken):
            self.taken.append(order)
        accepted = not (self.refusal and order.kind == "start")
        if accepted:
            self._obey(order)
            await self.report()
        receipt = OrderReceipt(
            command_id=order.command_id, accepted=accepted, reason=None if accepted else self.refusal
        )
        return web.Response(text=receipt.model_dump_json(), content_type="application/json")

    def _obey(self, order: Order) -> None:
        if order.kind != "start":
            self._bury(order.instance_id, order.incarnation)
            if order.run_id in self.runs and (self.obeys_stops or order.kind == "kill"):
                self._exit(order.run_id, InstanceExit(code=0))
            return
        over = self.ended.get(order.instance_id, 0) >= order.incarnation
        if not self.starts or over or order.run_id in self.runs:
            return
        assert all(run.instance_id != order.instance_id for run in self.alive), (
            "two processes of one instance"
        )
        now = Clock().now()
        self.runs[order.run_id] = InstanceReport(
            instance_id=order.instance_id,
            org_id=order.org_id,
            agent_id=order.agent_id,
            incarnation=order.incarnation,
            run_id=order.run_id,
            owner_kind=order.owner_kind,
            execution_id=order.execution_id,
            state=InstanceState.RUNNING,
            ready=self.becomes_ready,
            endpoint="http://127.0.0.1:9",
            pid=4711,
            started_at=now,
            ready_at=now if self.becomes_ready else None,
        )

    def _exit(self, run_id: UUID, how: InstanceExit, ready_at: datetime | None = None) -> None:
        run = self.runs[run_id]
        ended = {"state": InstanceState.EXITED, "ready": False, "endpoint": None, "exit": how}
        moments = {"finished_at": Clock().now(), "ready_at": ready_at or run.ready_at}
        self.runs[run_id] = run.model_copy(update={**ended, **moments})
        self._bury(run.instance_id, run.incarnation)

    def _bury(self, instance_id: UUID, incarnation: int) -> None:
        self.ended[instance_id] = max(self.ended.get(instance_id, 0), incarnation)


def facts(name: str, url: str = "http://127.0.0.1:1", **more: Any) -> NodeFacts:
    """What a capable node would say of itself."""
    document: dict[str, Any] = {
        "node_id": new_id(),
        "name": name,
        "boot_id": new_id(),
        "capacity_millicores": 8000,
        "capacity_bytes": 16 * 1024**3,
        "max_instances": 1000,
        "drivers": ["process"],
        "images": ["agent-runtime:latest"],
        "runtimes": {"python": "3.11.9"},
        "isolation": {"none": "available", "user": "available", "namespaces": "not permitted here"},
        "enforcement": {"cpu": "watchdog", "memory": "cgroup", "pids": "advisory"},
        "executor_url": url,
        "version": "test",
        **more,
    }
    return NodeFacts.model_validate(document)


@asynccontextmanager
async def node(platform: TestPlatform, name: str | None = None, **more: Any) -> AsyncIterator[Node]:
    """A registered node that listens on a free port."""
    manager = platform.client(NodeManagerClient, "executor")
    made = Node(manager, facts(name or f"node-{new_id().hex[-8:]}"))
    app = web.Application()
    app.router.add_post("/orders", made.take)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address: Any = runner.addresses[0]
    made.facts = facts(made.facts.name, f"http://127.0.0.1:{address[1]}", **more)
    await made.register()
    renewing = asyncio.create_task(made.keep_lease())
    try:
        yield made
    finally:
        renewing.cancel()
        await runner.cleanup()
