"""MCP servers and approvals over the API: credentials unseen, permissions, other organisations."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.tools import authorization_path
from tests.backend.conftest import Tenant, make_tenant
from tests.platform import make_agent

URL = "https://93.184.216.34/mcp"


async def test_a_server_is_registered_changed_and_deleted(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    new = {"name": "crm", "url": URL, "authorization": "Bearer canary", "effects": {"pay": "irreversible"}}
    made = await api.post("/mcp-servers", json=new)
    server = made.json()
    assert made.status_code == 201 and made.headers["location"].endswith(server["id"])
    assert (server["name"], server["has_authorization"], server["effects"], server["agents"]) == (
        "crm", True, {"pay": "irreversible"}, None,
    )  # fmt: skip
    assert (await api.get("/mcp-servers")).json() == [server]
    assert (await api.get(f"/mcp-servers/{server['id']}")).json() == server
    assert await _secrets(platform, server["id"]) == 1
    agent_id = str(await make_agent(platform.db, tenant.org_id))
    change = {"agents": [agent_id], "authorization": None}
    changed = (await api.patch(f"/mcp-servers/{server['id']}", json=change)).json()
    assert (changed["agents"], changed["has_authorization"], changed["url"]) == ([agent_id], False, URL)
    assert changed["effects"] == {"pay": "irreversible"} and await _secrets(platform, server["id"]) == 0
    assert (await api.delete(f"/mcp-servers/{server['id']}")).status_code == 204
    assert (await api.get(f"/mcp-servers/{server['id']}")).status_code == 404
    rows = await platform.db.fetch("SELECT * FROM audit_logs WHERE org_id = $1", tenant.org_id)
    assert "canary" not in str([dict(row) for row in rows])


@pytest.mark.parametrize(
    ("new", "status"),
    [
        ({"name": "Bad Name", "url": URL}, 422),
        ({"name": "memory", "url": URL}, 422),
        ({"name": "x", "url": "http://127.0.0.1:5432/"}, 422),
        ({"name": "x", "url": "http://169.254.169.254/latest"}, 422),
        ({"name": "x", "url": URL, "effects": {"pay": "maybe"}}, 422),
        ({"name": "x", "url": URL, "agents": [str(new_id())]}, 422),
        ({"name": "x", "url": URL, "authorization": "a\nb"}, 422),
        ({"name": "x", "url": URL, "effects": {"a\x00b": "read"}}, 422),
        ({"name": "x"}, 422),
    ],
)
async def test_bad_servers_are_refused(
    platform: TestPlatform, api: httpx.AsyncClient, new: dict[str, Any], status: int
) -> None:
    before = await platform.db.fetchrow("SELECT count(*) FROM secrets")
    answer = await api.post("/mcp-servers", json=new)
    assert answer.status_code == status, answer.text
    assert await platform.db.fetchrow("SELECT count(*) FROM secrets") == before


async def test_held_calls_are_decided_by_those_who_may(platform: TestPlatform, tenant: Tenant) -> None:
    developer = await make_tenant(platform, "developer", await _slug(platform, tenant))
    stranger = await make_tenant(platform)
    held, other = await held_call(platform, tenant), await held_call(platform, tenant)
    async with tenant.client() as owner, developer.client() as dev, stranger.client() as theirs:
        inbox = (await dev.get("/approvals", params={"state": "pending"})).json()["items"]
        assert [each["id"] for each in inbox] == [str(other), str(held)]
        assert inbox[0]["arguments"] == {"amount": 5}
        assert (await dev.post(f"/approvals/{held}/decision", json={"approve": True})).status_code == 403
        assert (await theirs.get(f"/approvals/{held}")).status_code == 404
        assert (await theirs.post(f"/approvals/{held}/decision", json={"approve": True})).status_code == 404
        assert not (await theirs.get("/approvals")).json()["items"]
        spoilt = {"approve": True, "comment": "a\x00b"}
        assert (await owner.post(f"/approvals/{held}/decision", json=spoilt)).status_code == 422
        decided = await owner.post(f"/approvals/{held}/decision", json={"approve": True, "comment": "ok"})
        assert (decided.json()["state"], decided.json()["comment"]) == ("approved", "ok")
        assert decided.json()["decided_by"].startswith("key:")
        events = (await owner.get("/events", params={"limit": 5})).json()["items"]
        (event,) = [each for each in events if each["type"] == "approval.changed"]
        assert (event["subject_id"], event["data"]["state"]) == (str(held), "approved")
        contrary = await owner.post(f"/approvals/{held}/decision", json={"approve": False})
        assert (contrary.status_code, contrary.json()["code"]) == (409, "illegal_state")
        page = (await owner.get("/approvals", params={"limit": 1})).json()
        assert [each["id"] for each in page["items"]] == [str(other)]
        rest = (await owner.get("/approvals", params={"cursor": page["next_cursor"]})).json()["items"]
        assert [each["id"] for each in rest] == [str(held)]
        assert (await owner.get("/approvals", params={"cursor": "x"})).status_code == 422


async def held_call(platform: TestPlatform, tenant: Tenant) -> UUID:
    agent_id = await make_agent(platform.db, tenant.org_id)
    execution_id, approval_id = new_id(), new_id()
    await platform.db.execute(
        "INSERT INTO executions (org_id, id, agent_id, agent_name, agent_version, mode, dispatch, status,"
        " max_attempts, deadline_at, created_by, lease_expires_at)"
        " VALUES ($1, $2, $3, 'a', 1, 'service', '{}', 'waiting_for_approval', 1,"
        " now() + interval '1 hour', 'user:t', now() + interval '1 hour')",
        tenant.org_id,
        execution_id,
        agent_id,
    )
    await platform.db.execute(
        "INSERT INTO approvals (org_id, id, agent_id, agent_name, execution_id, key, ordinal, server, tool,"
        " arguments, effect, reason, state, expires_at) VALUES ($1, $2, $3, 'a', $4, '\\x01', 0, 'bank',"
        " 'pay', '{\"amount\": 5}', 'write', 'a rule', 'pending', now() + interval '1 hour')",
        tenant.org_id,
        approval_id,
        agent_id,
        execution_id,
    )
    return approval_id


async def _slug(platform: TestPlatform, tenant: Tenant) -> str:
    row = await platform.db.fetchrow("SELECT slug FROM organisations WHERE id = $1", tenant.org_id)
    assert row is not None
    return str(row["slug"])


async def _secrets(platform: TestPlatform, server_id: str) -> int:
    row = await platform.db.fetchrow(
        "SELECT count(*) AS n FROM secrets WHERE path = $1", authorization_path(UUID(server_id))
    )
    assert row is not None
    return int(row["n"])
