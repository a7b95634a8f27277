"""A key confined to one agent: every route of another is closed to it, and lists show only its own."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from backend.permissions import PERMISSIONS, PLATFORM_PERMISSIONS
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from tests.backend.conftest import Tenant, make_tenant
from tests.backend.test_bad_input import CONFIRMED, GUARDED

PARAMETER = re.compile(r"{(\w+)}")
LISTS = {
    *("/api/v1/agents", "/api/v1/executions", "/api/v1/events"),
    *("/api/v1/approvals", "/api/v1/mcp-servers"),
}
PAGED = LISTS - {"/api/v1/agents", "/api/v1/mcp-servers"}
HELD = """
INSERT INTO approvals (org_id, id, agent_id, agent_name, execution_id, key, ordinal, server, tool, arguments,
                       effect, reason, state, expires_at)
VALUES ($1, $2, $3, 'a', $4, '', 0, 's', 't', '{}', 'write', 'r', 'pending', now() + interval '1 hour')
"""
OWN = "/api/v1/auth/me"
# What roles allow is the same for everybody, and tells nothing of an organisation.
ROLES = "/api/v1/roles"


@dataclass
class Two:
    """Two agents with an execution each, and a key for the first of them."""

    tenant: Tenant
    mine: str
    my_execution: str
    other: str
    other_execution: str
    key: str
    approvals: tuple[str, str]
    servers: dict[str, str]


@pytest.fixture(scope="module")
async def two(platform: TestPlatform) -> Two:
    tenant = await make_tenant(platform)
    made: list[str] = []
    async with tenant.client() as client:
        for name in ("mine", "other"):
            body = {"name": name, "docker_image": "agent-runtime:latest"}
            agent = (await client.post("/agents", json=body)).json()["id"]
            ran = await client.post(f"/agents/{agent}/executions", json={"input": name})
            made += [agent, ran.json()["id"]]
        scopes = [*sorted(PERMISSIONS - PLATFORM_PERMISSIONS), f"agents:{made[0]}"]
        answer = await client.post("/api-keys", json={"name": "confined", "scopes": scopes})
        assert answer.json()["agents"] == [made[0]]
        mine, my_execution, other, other_execution = made
        servers = {}
        for name, agents in (("ours", [mine, other]), ("theirs", [other]), ("everyones", None)):
            new = {"name": name, "url": "https://1.1.1.1/mcp", "agents": agents}
            servers[name] = (await client.post("/mcp-servers", json=new)).json()["id"]
    held = (str(new_id()), str(new_id()))
    for approval, agent, execution in zip(held, (mine, other), (my_execution, other_execution), strict=True):
        await platform.db.execute(HELD, tenant.org_id, approval, agent, execution)
    key = answer.json()["key"]
    return Two(tenant, mine, my_execution, other, other_execution, key, held, servers)


@pytest.fixture
async def confined(two: Two) -> AsyncIterator[httpx.AsyncClient]:
    async with two.tenant.client(two.key) as client:
        client.base_url = httpx.URL(two.tenant.url)
        yield client


async def test_every_route_of_another_agent_is_closed(two: Two, confined: httpx.AsyncClient) -> None:
    foreign = {"agent_id": two.other, "execution_id": two.other_execution, "seq": "1"}
    asked = 0
    for method, path in GUARDED:
        if (path in LISTS and method == "GET") or path in {OWN, ROLES}:
            continue
        target = PARAMETER.sub(lambda match: foreign.get(match[1], str(new_id())), path)
        response = await confined.request(
            method, target, json={}, params=CONFIRMED, headers={"If-Match": "*"}
        )
        assert response.status_code in {403, 404}, (method, path, response.status_code, response.text)
        asked += 1
    assert asked > 50


async def test_lists_show_its_own_agent_only(two: Two, confined: httpx.AsyncClient) -> None:
    for path in sorted(LISTS):
        whole = await confined.get(path)
        assert whole.status_code == 200, (path, whole.text)
        assert two.mine in whole.text or path.endswith("events"), path
        assert two.other not in whole.text and two.other_execution not in whole.text, path
        if path in PAGED:
            assert (await confined.get(path, params={"agent_id": two.other})).status_code == 403
            assert (await confined.get(path, params={"agent_id": two.mine})).status_code == 200
    me = (await confined.get(OWN)).json()
    assert me["agents"] == [two.mine]


async def test_its_own_agent_is_open(two: Two, confined: httpx.AsyncClient) -> None:
    for path in (
        f"/agents/{two.mine}",
        f"/agents/{two.mine}/executions",
        f"/agents/{two.mine}/instances",
        f"/executions/{two.my_execution}",
        f"/executions/{two.my_execution}/steps",
    ):
        assert (await confined.get(f"/api/v1{path}")).status_code == 200, path


async def test_approvals_are_its_own_agents_only(two: Two, confined: httpx.AsyncClient) -> None:
    mine, other = (f"/api/v1/approvals/{each}" for each in two.approvals)
    assert [each["id"] for each in (await confined.get("/api/v1/approvals")).json()["items"]] == [
        two.approvals[0]
    ]
    assert (await confined.get(mine)).status_code == 200
    for answer in (
        await confined.get(other),
        await confined.post(f"{other}/decision", json={"approve": True}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await confined.post(f"{mine}/decision", json={"approve": False})).json()["state"] == "rejected"
    async with two.tenant.client() as client:
        assert (await client.get(f"/approvals/{two.approvals[1]}")).json()["state"] == "pending"


async def test_servers_are_those_its_agent_may_use_and_stay_as_they_are(
    two: Two, confined: httpx.AsyncClient
) -> None:
    listed = {each["name"]: each["agents"] for each in (await confined.get("/api/v1/mcp-servers")).json()}
    assert listed == {"everyones": None, "ours": [two.mine]}
    for name, id_ in two.servers.items():
        path = f"/api/v1/mcp-servers/{id_}"
        assert (await confined.get(path)).status_code == (404 if name == "theirs" else 200)
        assert (await confined.patch(path, json={"agents": None})).status_code == 403
        assert (await confined.delete(path)).status_code == 403
    new = {"name": "more", "url": "https://1.1.1.1/mcp"}
    assert (await confined.post("/api/v1/mcp-servers", json=new)).status_code == 403


async def test_pages_of_several_agents_are_whole(two: Two) -> None:
    tenant = two.tenant
    async with tenant.client() as client:
        for number in range(5):
            await client.post(f"/agents/{(two.mine, two.other)[number % 2]}/executions", json={"input": 1})
        scopes = ["executions:read", f"agents:{two.mine}", f"agents:{two.other}"]
        key = (await client.post("/api-keys", json={"name": "both", "scopes": scopes})).json()["key"]
        everything = (await client.get("/executions", params={"limit": 200})).json()["items"]
    async with tenant.client(key) as both:
        seen, cursor = [], None
        while True:
            query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
            page = (await both.get("/executions", params=query)).json()
            seen += [each["id"] for each in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert seen == [each["id"] for each in everything]


async def test_agents_of_others_and_unknown_ones_cannot_be_named(platform: TestPlatform, two: Two) -> None:
    stranger = await make_tenant(platform)
    async with stranger.client() as client:
        for agent in (two.mine, str(new_id())):
            scopes = ["agents:read", f"agents:{agent}"]
            answer = await client.post("/api-keys", json={"name": "x", "scopes": scopes})
            assert answer.status_code == 422
        for scopes in ([f"agents:{two.mine}"], ["agents:x", "agents:read"], ["agents:read"] * 200):
            answer = await client.post("/api-keys", json={"name": "x", "scopes": scopes})
            assert answer.status_code == 422
