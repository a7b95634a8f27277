"""People of a test: members in a role, logged in, and what they may ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from tests.backend.conftest import PASSWORD, Tenant


@dataclass
class Person:
    """Somebody with an account and a session."""

    user_id: UUID
    email: str
    http: httpx.AsyncClient

    async def asks(self, method: str, path: str, *expected: int, **parts: Any) -> Any:
        """The document of an answer, whose status is one of those expected."""
        response = await self.http.request(method, path, **parts)
        assert response.status_code in (expected or (200, 201, 204)), (method, path, response.text)
        return response.json() if response.content else None


async def log_in(
    client: httpx.AsyncClient, email: str, password: str = PASSWORD, **more: Any
) -> dict[str, Any]:
    """Open a session; the client speaks for it from now on."""
    response = await client.post("/auth/login", json={"email": email, "password": password, **more})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    client.headers["Authorization"] = f"Bearer {answer['access_token']}"
    return answer


@asynccontextmanager
async def session(url: str, email: str, password: str = PASSWORD, **more: Any) -> AsyncIterator[Person]:
    """Somebody who logs in."""
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=60) as client:
        await log_in(client, email, password, **more)
        me = (await client.get("/auth/me")).json()
        yield Person(UUID(me["id"]), email, client)


@asynccontextmanager
async def owner_of(tenant: Tenant) -> AsyncIterator[Person]:
    """The owner of an organisation, logged in."""
    async with session(tenant.url, tenant.email) as person:
        yield person


@asynccontextmanager
async def joined(owner: Person, role: str, email: str | None = None) -> AsyncIterator[Person]:
    """Somebody who was invited in a role, accepted and logged in."""
    email = email or f"{role}-{new_id().hex[-12:]}@example.com"
    invited = await owner.asks("POST", "/invitations", json={"email": email, "role": role})
    accept = {"token": invited["token"], "password": PASSWORD, "name": role}
    url = str(owner.http.base_url).removesuffix("/api/v1/")
    async with httpx.AsyncClient(base_url=owner.http.base_url, timeout=60) as stranger:
        answer = await stranger.post("/invitations/accept", json=accept)
        assert answer.status_code == 201, answer.text
    organisation = answer.json()["organisation_slug"]
    async with session(url, email, organisation=organisation) as person:
        yield person


async def organisation_of(platform: TestPlatform, org_id: UUID) -> dict[str, Any]:
    """The organisation's row."""
    row = await platform.db.fetchrow("SELECT * FROM organisations WHERE id = $1", org_id)
    assert row is not None
    return dict(row)
