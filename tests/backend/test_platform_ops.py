"""The platform through its API: services, nodes, the brain, tickets, limits, and the first administrator."""

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from backend.first_administrator import create_first_administrator
from backend.settings import AdministratorSettings
from services.chassis.ids import new_id
from services.chassis.settings import ServiceSettings
from services.chassis.testing import TestPlatform
from services.contracts.catalog import STATUS_TABLE
from services.contracts.live import Ticket, ticket_key
from services.contracts.node_manager import NodeManagerClient
from services.embedded.testing import WorkerStores
from tests.backend.conftest import PASSWORD, Tenant, backend_settings, make_tenant
from tests.backend.test_agents import an_agent
from tests.backend.test_feasibility import a_node
from tests.platform import platform_of


async def test_the_table_of_services_is_whole(api: httpx.AsyncClient) -> None:
    answer = (await api.get("/services")).json()
    rows = {row["name"]: row for row in answer["services"]}
    assert list(rows) == [entry.name for entry in STATUS_TABLE]
    assert len(rows) == 35
    for name in ("backend", "postgres", "redis", "nats"):
        assert rows[name]["state"] == "healthy", rows[name]
    assert rows["grafana"]["state"] == "not_in_this_mode"
    assert rows["billing-engine"]["state"] == "not_in_this_version"
    assert rows["billing-engine"]["reason"]


async def test_nodes_are_cordoned_by_operators_only(
    platform: TestPlatform, overrides: list[ServiceSettings]
) -> None:
    # The node stays cordoned, so that it takes no agent of another test.
    facts = a_node(name=f"node-{new_id().hex[-8:]}", drivers=["process", "docker"])
    await platform.client(NodeManagerClient, "executor").register(facts)
    operator = await make_tenant(platform, slug="default")
    async with operator.client() as api:
        assert str(facts.node_id) in [node["node_id"] for node in (await api.get("/nodes")).json()]
        cordoned = await api.post(f"/nodes/{facts.node_id}/cordon", json={"cordoned": True})
        assert cordoned.json()["cordoned"] is True, cordoned.text
        assert (await api.post(f"/nodes/{new_id()}/cordon", json={})).status_code == 404
    other = await make_tenant(platform)
    async with other.client() as api:
        assert (await api.post(f"/nodes/{facts.node_id}/cordon", json={})).status_code == 403


async def test_the_brain_shows_only_the_organisations_own(platform: TestPlatform) -> None:
    mine, other = await make_tenant(platform), await make_tenant(platform)
    async with mine.client() as api, other.client() as theirs:
        made = (await api.post("/agents", json=an_agent())).json()["id"]
        await theirs.post("/agents", json=an_agent())
        state = (await api.get("/brain/state")).json()
        assert {agent["org_id"] for agent in state["agents"]} <= {str(mine.org_id)}
        assert state["interval_seconds"] == 10
        instances = await api.get(f"/agents/{made}/instances")
        assert instances.status_code == 200


async def test_a_ticket_names_the_channels_it_is_good_for(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    made = (await api.post("/ws-ticket", json={"channels": ["agents"]})).json()
    assert (made["expires_in"], made["channels"]) == (30, ["agents"])
    cache = platform.running.shared.cache
    assert cache is not None
    key = ticket_key(hashlib.sha256(made["ticket"].encode()).hexdigest())
    ticket = Ticket.model_validate_json(await cache.get(key) or b"")
    assert (ticket.org_id, ticket.channels) == (tenant.org_id, ["agents"])
    assert 0 < await cache.ttl(key) <= 30
    everything = (await api.post("/ws-ticket")).json()
    assert set(everything["channels"]) == {"agents", "executions", "nodes", "logs", "webhooks", "approvals"}


async def test_logs_events_and_metrics_of_an_agent(api: httpx.AsyncClient) -> None:
    agent = (await api.post("/agents", json=an_agent())).json()["id"]
    logs = await api.get(f"/agents/{agent}/logs")
    assert logs.json() == {"items": [], "next_cursor": None}
    metrics = await api.get(f"/agents/{agent}/metrics")
    assert (metrics.status_code, metrics.json()["agent_id"]) == (200, agent)
    events = (await api.get(f"/agents/{agent}/events")).json()["items"]
    assert events[-1]["type"] == "agent.deployed"
    assert (await api.get("/events")).json()["items"]


async def test_the_documentation_needs_nobody_else(tenant: Tenant) -> None:
    async with httpx.AsyncClient(base_url=tenant.url) as client:
        assert (await client.get("/")).json()["documentation"] == "/docs"
        page = await client.get("/docs")
        assert page.status_code == 200
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(loaded) == 3
        for path in loaded:
            assert path.startswith("/docs/")
            assert (await client.get(path)).status_code == 200
        assert (await client.get("/docs/..%2f__init__.py")).status_code in {404, 422}
        document: dict[str, Any] = (await client.get("/openapi.json")).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(set(ids)) == len(ids)
    assert "create_agent" in ids
    assert "ExecutionStatus" in document["components"]["schemas"]
    assert "Problem" in document["components"]["schemas"]
    assert "/internal/bundles/{digest}" not in document["paths"]


@pytest.fixture
async def small_quota(stores: WorkerStores, overrides: list[ServiceSettings]) -> AsyncIterator[TestPlatform]:
    settings = [overrides[0], backend_settings(requests_per_minute=10, cors_origins="https://ui.example")]
    async with platform_of(["backend"], stores.environment(), listen=True, overrides=settings) as platform:
        yield platform


async def test_the_quota_is_told_and_kept(small_quota: TestPlatform) -> None:
    tenant = await make_tenant(small_quota)
    async with tenant.client() as api:
        answers = [await api.get("/agents") for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        policy = answers[0].headers["ratelimit-policy"]
        assert policy == '"organisation";q=10;w=60, "principal";q=8;w=60'
        assert refused[0].json()["code"] == "rate_limited"
        # The minute's end, and until one of the requests has slid out of the minute before.
        assert 0 < int(refused[0].headers["retry-after"]) <= 70
        assert refused[0].headers["x-ratelimit-remaining"] == "0"
    other = await make_tenant(small_quota)
    async with other.client() as api:
        assert (await api.get("/agents")).status_code == 200


async def test_only_configured_origins_may_read(small_quota: TestPlatform) -> None:
    async with httpx.AsyncClient(base_url=small_quota.url("backend")) as client:
        ask = {"Access-Control-Request-Method": "POST"}
        good = await client.options("/api/v1/agents", headers={"Origin": "https://ui.example", **ask})
        assert good.headers["access-control-allow-origin"] == "https://ui.example"
        evil = await client.options("/api/v1/agents", headers={"Origin": "https://evil.example", **ask})
        assert "access-control-allow-origin" not in evil.headers


async def test_the_first_administrator_is_made_once(platform: TestPlatform) -> None:
    email, settings = f"{new_id()}@example.com", platform.running.platform
    random = AdministratorSettings(email=email)
    first = await create_first_administrator(settings, random, "default")
    assert first.created and first.password
    again = await create_first_administrator(settings, random, "default")
    assert (again.created, again.password) == (False, None)
    given = AdministratorSettings(email=f"x{email}", password=SecretStr(PASSWORD))
    second = await create_first_administrator(settings, given, "default")
    async with httpx.AsyncClient(base_url=f"{platform.url('backend')}/api/v1", timeout=30) as client:
        for who in (first, second):
            login = await client.post("/auth/login", json={"email": who.email, "password": who.password})
            assert login.status_code == 200, login.text
        bearer = {"Authorization": f"Bearer {login.json()['access_token']}"}
        me = (await client.get("/auth/me", headers=bearer)).json()
        assert (me["role"], me["organisation_slug"]) == ("owner", "default")
        assert "nodes:write" in me["permissions"]


async def test_an_organisation_is_founded_renamed_and_entered(tenant: Tenant) -> None:
    async with httpx.AsyncClient(base_url=f"{tenant.url}/api/v1", timeout=30) as client:
        body = {"email": tenant.email, "password": PASSWORD}
        token = (await client.post("/auth/login", json=body)).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        slug = f"second-{new_id().hex[-8:]}"
        made = await client.post("/organisations", json={"slug": slug, "name": "Second"}, headers=bearer)
        assert made.status_code == 201, made.text
        taken = await client.post("/organisations", json={"slug": slug, "name": "Third"}, headers=bearer)
        assert taken.json()["code"] == "already_exists"
        mine = (await client.get("/organisations", headers=bearer)).json()
        assert [each["slug"] for each in mine][-1] == slug
        # A session is for one organisation: the other is out of its reach until one logs in to it.
        other = f"/organisations/{made.json()['id']}"
        assert (await client.get(other, headers=bearer)).status_code == 404
        token = (await client.post("/auth/login", json={**body, "organisation": slug})).json()["access_token"]
        bearer = {"Authorization": f"Bearer {token}"}
        renamed = await client.patch(other, json={"name": "Renamed"}, headers=bearer)
        assert renamed.json()["name"] == "Renamed"
        members = (await client.get(f"{other}/members", headers=bearer)).json()
        assert [(each["email"], each["role"]) for each in members] == [(tenant.email, "owner")]
