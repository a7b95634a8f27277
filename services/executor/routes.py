"""HTTP face of the executor: the brain orders, metrics-collector samples, an operator looks and drains."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.chassis.auth import only
from services.chassis.service import Logic
from services.contracts.executor import Drained, InstanceStats, Inventory, Order, OrderReceipt
from services.contracts.log_processor import LogLine
from services.executor.logic import Executor

router = APIRouter(tags=["executor"])
TheExecutor = Annotated[Executor, Logic(Executor)]


@router.post("/orders", dependencies=[only("control-brain")])
async def order(order: Order, executor: TheExecutor) -> OrderReceipt:
    """Take an order."""
    return await executor.order(order)


@router.get("/inventory")
async def inventory(executor: TheExecutor) -> Inventory:
    """What this node runs now."""
    return await executor.inventory()


@router.get("/stats")
async def stats(executor: TheExecutor) -> list[InstanceStats]:
    """A fresh sample of every running instance."""
    return await executor.stats()


@router.get("/runs/{run_id}/logs")
async def tail(
    run_id: UUID,
    executor: TheExecutor,
    start: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=5_000)] = 200,
) -> list[LogLine]:
    """Lines of a process, straight from its file."""
    return await executor.tail(run_id, start, limit)


@router.post("/drain", dependencies=[only("control-brain", "node-manager", "cli")])
async def drain(
    executor: TheExecutor, grace_seconds: Annotated[float, Query(ge=0, le=3_600)] = 30
) -> Drained:
    """Take no more work and end what there is."""
    return Drained(ended=await executor.drain(grace_seconds))
