"""Platforms for tests: services of the catalog on this worker's stores."""

import base64
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from services import assembly
from services.chassis.database import Database
from services.chassis.ids import new_id
from services.chassis.settings import ServiceSettings
from services.chassis.testing import TestPlatform, platform_settings, running
from services.contracts.catalog import CALLERS

MASTER_KEY = base64.b64encode(os.urandom(32)).decode()


@asynccontextmanager
async def platform_of(
    names: Sequence[str],
    stores: Mapping[str, str],
    *,
    listen: bool = False,
    overrides: Sequence[ServiceSettings] = (),
) -> AsyncIterator[TestPlatform]:
    """The named services, built on the stores whose environment is given."""
    settings = platform_settings(stores, CALLERS)
    services = [assembly.load(name) for name in names]
    async with running(services, settings, assembly.PORTS, listen=listen, overrides=overrides) as platform:
        yield platform


async def make_organisation(db: Database) -> UUID:
    """A fresh organisation."""
    org_id = new_id()
    await db.execute(
        "INSERT INTO organisations (id, slug, name) VALUES ($1, $2, $2)", org_id, f"org-{org_id.hex[-12:]}"
    )
    return org_id


async def make_agent(db: Database, org_id: UUID, *, name: str | None = None, mode: str = "service") -> UUID:
    """A fresh agent row, as the backend would write it."""
    agent_id = new_id()
    await db.execute(
        "INSERT INTO agents (org_id, id, name, spec, created_by) VALUES ($1, $2, $3, $4, 'test')",
        org_id,
        agent_id,
        name or f"agent-{agent_id.hex[-12:]}",
        {"docker_image": "agent-runtime:latest", "mode": mode},
    )
    return agent_id
