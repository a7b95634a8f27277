"""The services an executor speaks to: small real services on the chassis that remember all they hear."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Response

from services.chassis.errors import NotFound, Unavailable
from services.chassis.service import Service
from services.contracts.agent_gateway import IssueKey, JobFinished, VirtualKey
from services.contracts.agents import InstanceState
from services.contracts.executor import InstanceReport, Inventory, InventoryReceipt, Order
from services.contracts.log_processor import LogBatch
from services.contracts.node_manager import Renewal
from services.contracts.nodes import NodeFacts, NodeLease


class Neighbours:
    """What they were told, and how they behave."""

    def __init__(self) -> None:
        self.facts: NodeFacts | None = None
        self.inventories: list[Inventory] = []
        self.jobs: Counter[UUID] = Counter()
        self.results: dict[UUID, JobFinished] = {}
        self.lines: dict[tuple[UUID, int], str] = {}
        self.contradicted: list[tuple[UUID, int]] = []
        self.keys: Counter[UUID] = Counter()
        self.revoked: set[UUID] = set()
        self.bundles: dict[str, bytes] = {}
        self.exits: dict[UUID, InstanceReport] = {}
        self.pids: dict[UUID, set[int]] = {}
        self.forget = True
        self.gateway_down = self.manager_down = False

    @property
    def newest(self) -> dict[UUID, InstanceReport]:
        """Instance id -> how it stood in the last inventory."""
        if not self.inventories:
            return {}
        return {report.instance_id: report for report in self.inventories[-1].instances}

    def result(self, order: Order) -> JobFinished | None:
        """What was told of an order's execution."""
        return self.results.get(order.execution_id) if order.execution_id else None

    def printed(self, run_id: UUID) -> list[str]:
        """Lines of a process, in order."""
        return [line for (run, _), line in sorted(self.lines.items()) if run == run_id]

    def services(self) -> list[Service[Any]]:
        """The neighbours, declared."""
        routes = {
            "node-manager": self._node_manager(),
            "agent-gateway": self._gateway(),
            "log-processor": self._log_processor(),
            "backend": self._backend(),
        }
        return [
            Service(name=name, build=lambda _: self, routes=[router], roles=(), uses_bus=False)
            for name, router in routes.items()
        ]

    def _lease(self, node_id: UUID) -> NodeLease:
        if self.manager_down:
            raise Unavailable("node-manager is down")
        expires = datetime.now(UTC) + timedelta(seconds=20)
        return NodeLease(node_id=node_id, expires_at=expires, ttl_seconds=20, fence_after_seconds=30)

    def _node_manager(self) -> APIRouter:
        router = APIRouter()

        @router.post("/nodes")
        async def register(facts: NodeFacts) -> NodeLease:
            self.facts = facts
            return self._lease(facts.node_id)

        @router.post("/nodes/{node_id}/lease")
        async def renew(node_id: UUID, _: Renewal) -> NodeLease:
            if self.facts is None:
                raise NotFound("no such node")
            return self._lease(node_id)

        @router.put("/nodes/{_node_id}/inventory")
        async def report(_node_id: UUID, inventory: Inventory) -> InventoryReceipt:
            if self.manager_down:
                raise Unavailable("node-manager is down")
            if self.inventories:
                assert inventory.seq > self.inventories[-1].seq
            self.inventories.append(inventory)
            ended = []
            for each in inventory.instances:
                if each.pid is not None:
                    self.pids.setdefault(each.run_id, set()).add(each.pid)
                if each.state is InstanceState.EXITED:
                    self.exits[each.run_id] = each
                    ended.append(each.run_id)
            return InventoryReceipt(forget=ended if self.forget else [])

        return router

    def _gateway(self) -> APIRouter:
        router = APIRouter()

        @router.post("/keys")
        async def issue(request: IssueKey) -> VirtualKey:
            if self.gateway_down:
                raise Unavailable("the gateway is down")
            self.keys[request.run_id] += 1
            expires = datetime.now(UTC) + timedelta(minutes=15)
            token = f"token-{self.keys[request.run_id]}"
            return VirtualKey(key=f"ap_vk_{request.run_id}", token=token, token_expires_at=expires)

        @router.delete("/keys/{run_id}", status_code=204)
        async def revoke(run_id: UUID) -> Response:
            self.revoked.add(run_id)
            return Response(status_code=204)

        @router.post("/executions/{execution_id}/job", status_code=204)
        async def finished(execution_id: UUID, report: JobFinished) -> Response:
            if self.gateway_down:
                raise Unavailable("the gateway is down")
            self.jobs[execution_id] += 1
            self.results[execution_id] = report
            return Response(status_code=204)

        return router

    def _log_processor(self) -> APIRouter:
        router = APIRouter()

        @router.post("/logs", status_code=204)
        async def ingest(batches: Annotated[list[LogBatch], Body()]) -> Response:
            for batch in batches:
                for line in batch.lines:
                    place = (line.run_id, line.offset)
                    if self.lines.setdefault(place, line.line) != line.line:
                        self.contradicted.append(place)
            return Response(status_code=204)

        return router

    def _backend(self) -> APIRouter:
        router = APIRouter()

        @router.get("/internal/bundles/{digest}")
        async def bundle(digest: str) -> Response:
            if digest not in self.bundles:
                raise NotFound(f"no bundle {digest}")
            return Response(self.bundles[digest], media_type="application/gzip")

        return router
