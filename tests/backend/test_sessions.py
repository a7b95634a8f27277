"""Sessions: rotation survives races and catches theft; guessing is locked out; revocation counts at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from tests.backend.conftest import PASSWORD, Tenant, make_tenant

ASK = {"X-Requested-With": "test"}


@asynccontextmanager
async def logged_in(tenant: Tenant, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{tenant.url}/api/v1", timeout=60) as client:
        login = {"email": tenant.email, "password": PASSWORD, **more}
        response = await client.post("/auth/login", json=login)
        assert response.status_code == 200, response.text
        client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        yield client


async def test_a_login_gives_a_token_and_two_cookies(tenant: Tenant) -> None:
    async with httpx.AsyncClient(base_url=f"{tenant.url}/api/v1") as client:
        response = await client.post("/auth/login", json={"email": tenant.email, "password": PASSWORD})
        answer = response.json()
        assert (answer["token_type"], answer["expires_in"], answer["refresh_token"]) == ("bearer", 900, None)
        cookies = {line.split("=")[0]: line for line in response.headers.get_list("set-cookie")}
        assert "Path=/api/v1/auth" in cookies["ap_refresh"]
        assert "HttpOnly" in cookies["ap_refresh"] and "samesite=strict" in cookies["ap_refresh"].lower()
        assert cookies["ap_session"].startswith("ap_session=1;")
        assert response.headers["cache-control"] == "no-store"
        me = await client.get("/auth/me", headers={"Authorization": f"Bearer {answer['access_token']}"})
        assert (me.json()["label"], me.json()["role"]) == (tenant.email, "owner")


async def test_a_wrong_password_and_an_unknown_user_look_the_same(tenant: Tenant) -> None:
    async with httpx.AsyncClient(base_url=f"{tenant.url}/api/v1") as client:
        wrong = await client.post("/auth/login", json={"email": tenant.email, "password": "no"})
        unknown = await client.post("/auth/login", json={"email": f"{new_id()}@x.com", "password": "no"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["code"] == "bad_credentials"


async def test_five_failures_lock_the_account_out(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with httpx.AsyncClient(base_url=f"{tenant.url}/api/v1", timeout=30) as client:
        wrong, right = ({"email": tenant.email, "password": each} for each in ("no", PASSWORD))
        answers = await asyncio.gather(*(client.post("/auth/login", json=wrong) for _ in range(20)))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == [401] * 5 + [429] * 15
        refused = await client.post("/auth/login", json=right)
        assert (refused.status_code, refused.json()["code"]) == (429, "locked_out")
        assert 0 < int(refused.headers["retry-after"]) <= 30
        await platform.db.execute("UPDATE login_attempts SET locked_until = clock_timestamp()")
        assert (await client.post("/auth/login", json=right)).status_code == 200
        assert (await client.post("/auth/login", json=wrong)).status_code == 401


async def test_a_caller_cannot_say_that_it_is_somebody_else_s_call(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with httpx.AsyncClient(base_url=f"{tenant.url}/api/v1", timeout=60) as client:
        for number in range(6):
            answer = await client.post(
                "/auth/login",
                json={"email": tenant.email, "password": "wrong"},
                headers={"X-Forwarded-For": f"203.0.{number}.9", "X-Real-IP": f"203.0.{number}.9"},
            )
        assert answer.json()["code"] == "locked_out"


async def test_fifty_parallel_refreshes_have_one_successor(platform: TestPlatform, tenant: Tenant) -> None:
    async with logged_in(tenant) as client:
        token = client.cookies["ap_refresh"]
        async with httpx.AsyncClient(base_url=client.base_url, timeout=60) as racer:
            answers = await asyncio.gather(
                *(
                    racer.post("/auth/refresh", headers={**ASK, "Cookie": f"ap_refresh={token}"})
                    for _ in range(50)
                )
            )
        assert {answer.status_code for answer in answers} == {200}
        successors = {
            line.split(";")[0]
            for answer in answers
            for line in answer.headers.get_list("set-cookie")
            if line.startswith("ap_refresh")
        }
        assert len(successors) == 1
        bearer = {"Authorization": f"Bearer {answers[7].json()['access_token']}"}
        assert (await client.get("/auth/me", headers=bearer)).status_code == 200


async def test_a_token_that_comes_back_after_the_grace_ends_the_session(
    platform: TestPlatform, tenant: Tenant
) -> None:
    async with logged_in(tenant, client="cli") as client:
        login = await client.post(
            "/auth/login", json={"email": tenant.email, "password": PASSWORD, "client": "cli"}
        )
        old = login.json()["refresh_token"]
        renewed = (await client.post("/auth/refresh", json={"refresh_token": old})).json()
        await platform.db.execute("UPDATE refresh_tokens SET used_at = used_at - interval '11 seconds'")
        thief = await client.post("/auth/refresh", json={"refresh_token": old})
        assert (thief.status_code, thief.json()["code"]) == (401, "token_reused")
        ended = await client.post("/auth/refresh", json={"refresh_token": renewed["refresh_token"]})
        assert ended.status_code == 401
        bearer = {"Authorization": f"Bearer {renewed['access_token']}"}
        await _until_refused(client, bearer)


async def test_only_the_token_before_the_newest_is_forgiven(tenant: Tenant) -> None:
    async with logged_in(tenant, client="cli") as client:
        body = {"email": tenant.email, "password": PASSWORD, "client": "cli"}
        first = (await client.post("/auth/login", json=body)).json()["refresh_token"]
        second = (await client.post("/auth/refresh", json={"refresh_token": first})).json()["refresh_token"]
        third = (await client.post("/auth/refresh", json={"refresh_token": second})).json()["refresh_token"]
        assert (await client.post("/auth/refresh", json={"refresh_token": first})).status_code == 409
        assert (await client.post("/auth/refresh", json={"refresh_token": third})).status_code == 200


async def test_another_site_cannot_refresh(tenant: Tenant) -> None:
    async with logged_in(tenant) as client:
        assert (await client.post("/auth/refresh")).status_code == 403
        foreign = await client.post("/auth/refresh", headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        own = await client.post("/auth/refresh", headers={"Origin": tenant.url})
        assert own.status_code == 200


async def test_logging_out_ends_the_access_token_too(tenant: Tenant, api: httpx.AsyncClient) -> None:
    async with logged_in(tenant) as client:
        assert (await client.get("/auth/me")).status_code == 200
        assert (await client.post("/auth/logout", headers=ASK)).status_code == 204
        assert (await client.get("/auth/me")).status_code == 401
        assert (await client.post("/auth/refresh", headers=ASK)).status_code == 401
        records = (await api.get("/audit", params={"limit": 2})).json()["items"]
        assert [record["action"] for record in records] == ["log_out", "log_in"]
        assert records[0]["actor_label"] == tenant.email


async def test_a_revoked_key_is_refused_within_a_second(tenant: Tenant, api: httpx.AsyncClient) -> None:
    made = (await api.post("/api-keys", json={"name": "short", "scopes": ["agents:read"]})).json()
    assert made["key"].startswith(f"ap_live_{made['prefix']}_")
    async with tenant.client(made["key"]) as other:
        assert (await other.get("/agents")).status_code == 200
        assert (await other.get("/audit")).status_code == 403
        assert (await api.delete(f"/api-keys/{made['id']}")).status_code == 204
        assert (await other.get("/agents")).status_code == 401
    listed = (await api.get("/api-keys")).json()["items"]
    assert all("key" not in each for each in listed)
    assert next(each for each in listed if each["id"] == made["id"])["revoked_at"]


async def test_a_key_revoked_elsewhere_is_refused_within_a_second(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    made = (await api.post("/api-keys", json={"name": "short", "scopes": ["agents:read"]})).json()
    async with tenant.client(made["key"]) as other:
        assert (await other.get("/agents")).status_code == 200
        await platform.db.execute("UPDATE api_keys SET revoked_at = now() WHERE id = $1", made["id"])
        await asyncio.sleep(1.05)
        assert (await other.get("/agents")).status_code == 401


async def test_nobody_gives_away_more_than_they_have(tenant: Tenant, api: httpx.AsyncClient) -> None:
    made = (await api.post("/api-keys", json={"name": "few", "scopes": ["api_keys:write"]})).json()
    async with tenant.client(made["key"]) as other:
        more = await other.post("/api-keys", json={"name": "more", "scopes": ["agents:write"]})
        assert more.status_code == 403
        # A member of just any organisation does not operate the platform.
        nodes = await api.post("/api-keys", json={"name": "nodes", "scopes": ["nodes:write"]})
        assert nodes.status_code == 403


async def test_every_write_is_recorded(api: httpx.AsyncClient) -> None:
    made = (await api.post("/api-keys", json={"name": "seen", "scopes": ["agents:read"]})).json()
    refused = await api.post("/agents", content=b"{", headers={"Content-Type": "application/json"})
    assert refused.status_code == 400
    newest = (await api.get("/audit", params={"limit": 2})).json()["items"]
    assert [(each["action"], each["status"]) for each in newest] == [
        ("create_agent", 400),
        ("create_api_key", 201),
    ]
    assert newest[1]["target_id"] == made["id"]
    assert newest[0]["request_id"] == refused.headers["x-request-id"]


async def test_the_password_is_stored_as_argon2id(platform: TestPlatform, tenant: Tenant) -> None:
    row = await platform.db.fetchrow("SELECT password_hash FROM users WHERE id = $1", tenant.user_id)
    assert row is not None
    assert row["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def _until_refused(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for _ in range(30):
        if (await client.get("/auth/me", headers=headers)).status_code == 401:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the session is still accepted after 3 s")
