"""The audit log: searched, exported as lines, and a chain in which every edit shows."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from tests.backend.conftest import Tenant, make_tenant
from tests.backend.people import joined, owner_of
from tests.soak import count


async def chained(client: httpx.AsyncClient) -> dict[str, Any]:
    """The verification once nothing waits for the chain any more."""
    for _ in range(100):
        answer: dict[str, Any] = (await client.get("/audit/verify")).json()
        if answer["waiting"] == 0:
            return answer
        await asyncio.sleep(0.1)
    pytest.fail("records still wait for the chain after 10 s")


@pytest.fixture
async def busy(platform: TestPlatform) -> Tenant:
    """An organisation that has written several things."""
    tenant = await make_tenant(platform)
    async with tenant.client() as client:
        for number in range(8):
            await client.post("/api-keys", json={"name": f"k{number}", "scopes": ["agents:read"]})
        await client.post("/api-keys", json={"name": "", "scopes": []})
        await chained(client)
    return tenant


@pytest.fixture
async def as_owner(platform: TestPlatform, stores: WorkerStores) -> Callable[..., Awaitable[None]]:
    """A statement with the rights of the tables' owner, row-level security put aside: the burglar."""

    async def execute(statement: str, *arguments: Any) -> None:
        connection = await asyncpg.connect(stores.addresses.database_owner_url)
        try:
            async with connection.transaction():
                for table in ("audit_logs", "audit_chain"):
                    await connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
                await connection.execute(statement, *arguments)
                for table in ("audit_logs", "audit_chain"):
                    await connection.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        finally:
            await connection.close()

    return execute


async def test_the_log_is_searched(platform: TestPlatform, busy: Tenant) -> None:
    async with owner_of(busy) as owner, joined(owner, "developer") as developer:
        await developer.asks("POST", "/api-keys", json={"name": "d", "scopes": ["agents:read"]})
        await developer.asks("POST", "/invitations", 403, json={"email": "a@b.example", "role": "viewer"})

        async def found(**search: Any) -> list[tuple[str, str, int]]:
            items = (await owner.asks("GET", "/audit", params={"limit": 200, **search}))["items"]
            return [(each["actor_label"], each["action"], each["status"]) for each in items]

        mine = await found(actor=developer.email)
        assert {action for _, action, _ in mine} == {
            "accept_invitation",
            "log_in",
            "create_api_key",
            "create_invitation",
        }
        assert mine == await found(actor=str(developer.user_id))
        assert mine == await found(actor=developer.email.split("@")[0].upper())
        assert await found(actor=developer.email, outcome="refused") == [
            (developer.email, "create_invitation", 403)
        ]
        assert {status for _, _, status in await found(outcome="success")} <= {200, 201, 204}
        assert {action for _, action, _ in await found(action="create_api_key")} == {"create_api_key"}
        keys = (await owner.asks("GET", "/api-keys"))["items"]
        (only,) = await found(target=keys[0]["id"])
        assert only[1] == "create_api_key"
        assert await found(since="2100-01-01T00:00:00Z") == []
        assert await found(until="2000-01-01T00:00:00Z") == []
        assert len(await found(since="2000-01-01T00:00:00Z")) == len(await found())
        await owner.asks("GET", "/audit", 422, params={"since": "2000-01-01T00:00:00"})


async def test_pages_are_whole(busy: Tenant) -> None:
    async with busy.client() as client:
        cursor, seen = None, []
        while True:
            query = {"limit": "3", "action": "create_api_key", **({"cursor": cursor} if cursor else {})}
            page = (await client.get("/audit", params=query)).json()
            seen += [each["id"] for each in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        everything = (await client.get("/audit", params={"limit": 200, "action": "create_api_key"})).json()
        assert seen == [each["id"] for each in everything["items"]] and len(seen) == 10


async def test_the_export_can_be_verified_by_anybody(busy: Tenant) -> None:
    async with busy.client() as client:
        head = await chained(client)
        answer = await client.get("/audit/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    previous = bytes(32)
    for line in sorted(lines, key=lambda each: each["position"]):
        canonical = json.dumps(line["record"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256(previous + canonical.encode()).digest()
        assert previous.hex() == line["hash"]
    assert (len(lines), previous.hex()) == (head["records"], head["hash"])


TAMPERINGS = {
    "record_changed": "UPDATE audit_logs SET actor_label = 'nobody' WHERE org_id = $1 AND id = $2",
    "record_missing": "DELETE FROM audit_logs WHERE org_id = $1 AND id = $2",
    "position_missing": "DELETE FROM audit_chain WHERE org_id = $1 AND record_id = $2",
}


@pytest.mark.parametrize("reason", TAMPERINGS)
async def test_whatever_is_changed_shows(
    busy: Tenant, as_owner: Callable[..., Awaitable[None]], reason: str
) -> None:
    async with busy.client() as client:
        before = await chained(client)
        assert before["intact"] and before["records"] >= 9
        exported = (await client.get("/audit/export")).text.splitlines()
        victim = json.loads(exported[4])
        await as_owner(TAMPERINGS[reason], busy.org_id, victim["record"]["id"])
        after = await chained(client)
        assert (after["intact"], after["broken"]["reason"]) == (False, reason)
        assert after["broken"]["position"] == victim["position"]


async def test_a_record_slipped_in_and_a_cut_end_show(
    busy: Tenant, as_owner: Callable[..., Awaitable[None]]
) -> None:
    async with busy.client() as client:
        head = await chained(client)
        noted = {"position": head["position"], "hash": head["hash"]}
        assert (await client.get("/audit/verify", params=noted)).json()["intact"]
        wrong = {**noted, "hash": "0" * 64}
        answer = (await client.get("/audit/verify", params=wrong)).json()
        assert answer["broken"]["reason"] == "head_differs"
        last = "SELECT max(position) FROM audit_chain WHERE org_id = $1"
        await as_owner(
            f"WITH cut AS (DELETE FROM audit_chain WHERE org_id = $1 AND position = ({last})"
            " RETURNING record_id) DELETE FROM audit_logs"
            " WHERE org_id = $1 AND id IN (SELECT record_id FROM cut)",
            busy.org_id,
        )
        # Without a head from elsewhere a shorter chain looks whole; with one it does not.
        assert (await client.get("/audit/verify")).json()["intact"]
        answer = (await client.get("/audit/verify", params=noted)).json()
        assert answer["broken"] == {
            "position": head["position"],
            "record_id": None,
            "reason": "position_missing",
        }
        await as_owner("ALTER TABLE audit_logs DISABLE TRIGGER audit_logs_await_chain")
        await as_owner(
            "INSERT INTO audit_logs (org_id, id, actor_kind, actor_label, action, status)"
            " VALUES ($1, $2, 'user', 'ghost', 'create_agent', 201)",
            busy.org_id,
            new_id(),
        )
        await as_owner("ALTER TABLE audit_logs ENABLE TRIGGER audit_logs_await_chain")
        answer = (await client.get("/audit/verify")).json()
        assert answer["broken"]["reason"] == "record_outside_chain"


@pytest.mark.parametrize("statement", ["UPDATE audit_logs SET status = 200", "DELETE FROM audit_logs"])
async def test_neither_role_of_the_application_changes_a_record(
    platform: TestPlatform, tenant: Tenant, statement: str
) -> None:
    for table in ("audit_logs", "audit_chain"):
        attempt = statement.replace("audit_logs", table).replace("status = 200", "org_id = org_id")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with platform.db.tenant(tenant.org_id) as connection:
                await connection.execute(attempt)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await platform.db.execute(attempt)


@pytest.mark.drill
async def test_many_writers_make_one_chain_each(platform: TestPlatform) -> None:
    tenants = [await make_tenant(platform) for _ in range(3)]
    writes = count(40, 2000)

    async def write(tenant: Tenant) -> dict[str, Any]:
        async with tenant.client() as client:
            answers = await asyncio.gather(
                *(
                    client.patch(f"/organisations/{tenant.org_id}", json={"name": f"n{n}"})
                    for n in range(writes)
                )
            )
            assert {answer.status_code for answer in answers} == {200}
            return await chained(client)

    for answer in await asyncio.gather(*map(write, tenants)):
        assert answer["intact"] and answer["records"] >= writes
