"""A small service with every way in, for the tests of the chassis."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from services import assembly
from services.chassis.auth import TheCaller, TheOrg, only
from services.chassis.client import Client
from services.chassis.contract import Contract, Request
from services.chassis.database import Database
from services.chassis.errors import Conflict, RateLimited
from services.chassis.resources import Resources
from services.chassis.service import Logic, Service
from services.chassis.settings import PlatformSettings
from services.chassis.testing import TestPlatform, platform_settings, running
from services.contracts.catalog import CALLERS

router = APIRouter()
NAME = "scheduler-service"


class Thing(Request):
    """Something with fields to get wrong."""

    name: str
    number: int = 0
    anything: Any = None


class Echo(Contract):
    """What the probe understood."""

    caller: str
    actor: str
    org_id: UUID | None = None
    thing: Any = None


class Probe:
    """Stores and echoes."""

    def __init__(self, db: Database) -> None:
        self.db = db


TheProbe = Annotated[Probe, Logic(Probe)]


@router.get("/who")
async def who(caller: TheCaller) -> Echo:
    return Echo(caller=caller.service, actor=caller.actor, org_id=caller.org_id)


@router.get("/org")
async def org(caller: TheCaller, org_id: TheOrg) -> Echo:
    return Echo(caller=caller.service, actor=caller.actor, org_id=org_id)


@router.get("/backend-only", dependencies=[only("backend")])
async def backend_only(caller: TheCaller) -> Echo:
    return Echo(caller=caller.service, actor=caller.actor)


@router.post("/things")
async def make(thing: Thing, caller: TheCaller, probe: TheProbe) -> Echo:
    await probe.db.execute(
        "SELECT $1::text, $2::bigint, $3::jsonb", thing.name, thing.number, {"thing": thing.anything}
    )
    return Echo(caller=caller.service, actor=caller.actor, thing=thing.name)


@router.get("/fail")
async def fail(kind: Annotated[str, Query()]) -> Echo:
    if kind == "conflict":
        raise Conflict("the probe 7 is there already", errors=[{"pointer": "/kind", "message": "taken"}])
    if kind == "limited":
        raise RateLimited("slower, please", retry_after=2.5)
    if kind == "timeout":
        raise TimeoutError
    if kind == "sleep":
        await asyncio.sleep(30)
    raise ZeroDivisionError("the secret is 42")


@router.get("/sql")
async def sql(probe: TheProbe, statement: Annotated[str, Query()]) -> Echo:
    await probe.db.execute(statement)
    return Echo(caller="", actor="")


@router.get("/stream")
async def stream(parts: int, broken: bool = False) -> StreamingResponse:
    async def produce() -> AsyncIterator[bytes]:
        for number in range(parts):
            yield f"{number};".encode()
            await asyncio.sleep(0)
        if broken:
            raise ConnectionError("the source broke")

    return StreamingResponse(produce())


@router.get("/odd")
async def odd() -> Any:
    return {"not": "an echo"}


class ProbeClient(Client):
    """Speaks to the probe."""

    service = NAME

    async def get(self, path: str, *, timeout: float = 10, **more: Any) -> Echo:
        return await self._call("GET", path, Echo, timeout=timeout, **more)

    async def raw(self, path: str, **more: Any) -> bytes:
        return await self._call("GET", path, bytes, **more)

    async def make(self, thing: Thing) -> Echo:
        return await self._call("POST", "/things", Echo, body=thing)


def probe_service(**more: Any) -> Service[Probe]:
    def build(resources: Resources) -> Probe:
        return Probe(resources.db)

    declared: dict[str, Any] = {"routes": [router], "max_body_bytes": 100_000} | more
    return Service(name=NAME, build=build, **declared)


@asynccontextmanager
async def probed(
    environment: Mapping[str, str],
    services: Sequence[Service[Any]] = (),
    *,
    listen: bool = False,
    settings: PlatformSettings | None = None,
) -> AsyncIterator[TestPlatform]:
    chosen = settings or platform_settings(environment, CALLERS)
    async with running(services or [probe_service()], chosen, assembly.PORTS, listen=listen) as platform:
        yield platform
