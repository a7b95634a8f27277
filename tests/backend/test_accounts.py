"""A person's own sessions and password, resets by administrators, and the accounts and keys of programs."""

import httpx

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from tests.backend.conftest import PASSWORD, Tenant, make_tenant
from tests.backend.people import joined, owner_of, session

NEXT_PASSWORD = "another horse and battery"


async def test_sessions_are_listed_and_ended(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with owner_of(tenant) as here, owner_of(tenant) as there, owner_of(tenant) as far:
        listed = await here.asks("GET", "/auth/sessions")
        assert len(listed) >= 3 and [each["current"] for each in listed].count(True) == 1
        assert all(each["ip"] == "127.0.0.1" and "python-httpx" in each["user_agent"] for each in listed)
        theirs = next(each["id"] for each in await there.asks("GET", "/auth/sessions") if each["current"])
        await here.asks("DELETE", f"/auth/sessions/{theirs}")
        await there.asks("GET", "/auth/me", 401)
        await here.asks("DELETE", f"/auth/sessions/{theirs}", 404)
        assert (await here.asks("POST", "/auth/sessions/revoke-others"))["revoked"] >= 1
        await far.asks("GET", "/auth/me", 401)
        assert len(await here.asks("GET", "/auth/sessions")) == 1


async def test_nobody_ends_another_person_s_session(platform: TestPlatform, tenant: Tenant) -> None:
    other = await make_tenant(platform)
    async with owner_of(tenant) as me, owner_of(other) as them:
        (theirs,) = (each for each in await them.asks("GET", "/auth/sessions") if each["current"])
        await me.asks("DELETE", f"/auth/sessions/{theirs['id']}", 404)
        await them.asks("GET", "/auth/me")


async def test_a_changed_password_ends_the_other_sessions(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with owner_of(tenant) as here, owner_of(tenant) as there:
        wrong = {"current_password": "no", "new_password": NEXT_PASSWORD}
        await here.asks("POST", "/auth/password", 403, json=wrong)
        short = {"current_password": PASSWORD, "new_password": "short"}
        await here.asks("POST", "/auth/password", 422, json=short)
        right = {"current_password": PASSWORD, "new_password": NEXT_PASSWORD}
        assert (await here.asks("POST", "/auth/password", json=right))["revoked"] >= 1
        await here.asks("GET", "/auth/me")
        await there.asks("GET", "/auth/me", 401)
        await here.asks("POST", "/auth/login", 401, json={"email": here.email, "password": PASSWORD})
    async with session(tenant.url, tenant.email, NEXT_PASSWORD):
        pass


async def test_an_administrator_resets_the_password_of_a_member(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with owner_of(tenant) as owner, joined(owner, "developer") as member:
        path = f"/organisations/{tenant.org_id}/members/{member.user_id}/password-reset"
        await member.asks("POST", path, 403)
        first = (await owner.asks("POST", path))["token"]
        token = (await owner.asks("POST", path))["token"]
        async with httpx.AsyncClient(base_url=owner.http.base_url, timeout=30) as stranger:
            void = {"token": first, "new_password": NEXT_PASSWORD}
            assert (await stranger.post("/auth/password/reset", json=void)).status_code == 404
            right = {"token": token, "new_password": NEXT_PASSWORD}
            assert (await stranger.post("/auth/password/reset", json=right)).status_code == 204
            assert (await stranger.post("/auth/password/reset", json=right)).status_code == 404
        await member.asks("GET", "/auth/me", 401)
        async with session(tenant.url, member.email, NEXT_PASSWORD):
            pass
        newest = (await owner.asks("GET", "/audit", params={"limit": 5}))["items"]
        assert ("reset_password", member.email) in {(each["action"], each["actor_label"]) for each in newest}


async def test_nobody_resets_the_password_of_who_belongs_elsewhere_too(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with owner_of(tenant) as owner, joined(owner, "developer") as member:
        path = f"/organisations/{tenant.org_id}/members/{member.user_id}/password-reset"
        token = (await owner.asks("POST", path))["token"]
        slug = f"own-{new_id().hex[-12:]}"
        await member.asks("POST", "/organisations", json={"slug": slug, "name": "Own"})
        refused = await owner.asks("POST", path, 409)
        assert "another organisation" in refused["detail"]
        body = {"token": token, "new_password": NEXT_PASSWORD}
        await owner.asks("POST", "/auth/password/reset", 409, json=body)
        own = f"/organisations/{tenant.org_id}/members/{owner.user_id}/password-reset"
        await owner.asks("POST", own, 409)


async def test_a_service_account_bounds_its_keys(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with owner_of(tenant) as owner, joined(owner, "developer") as developer:
        account = await owner.asks(
            "POST", "/service-accounts", json={"name": "deployer", "role": "developer", "description": "CI"}
        )
        await owner.asks("POST", "/service-accounts", 409, json={"name": "Deployer", "role": "viewer"})
        body = {"name": "ci", "scopes": ["agents:read"], "service_account_id": account["id"]}
        await developer.asks("POST", "/api-keys", 403, json=body)
        beyond = {**body, "scopes": ["members:write"]}
        await owner.asks("POST", "/api-keys", 403, json=beyond)
        made = await owner.asks("POST", "/api-keys", json=body)
        async with tenant.client(made["key"]) as program:
            assert (await program.get("/auth/me")).json()["label"] == "deployer/ci"
            assert (await program.get("/auth/sessions")).status_code == 403
            await owner.asks("DELETE", f"/service-accounts/{account['id']}")
            assert (await program.get("/agents")).status_code == 401
        shown = await owner.asks("GET", f"/service-accounts/{account['id']}")
        assert shown["disabled_at"]
        await owner.asks("POST", "/api-keys", 409, json=body)
        await owner.asks("GET", f"/service-accounts/{new_id()}", 404)


async def test_a_rotated_key_overlaps_with_its_successor(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with owner_of(tenant) as owner, joined(owner, "developer") as developer:
        body = {"name": "ci", "scopes": ["agents:read", "audit:read"], "expires_in_days": 30}
        old = await owner.asks("POST", "/api-keys", json=body)
        path = f"/api-keys/{old['id']}/rotate"
        # Whoever rotates a key learns the new one, so they must be allowed all that it may do.
        await developer.asks("POST", path, 403)
        new = await owner.asks("POST", path, json={"overlap_seconds": 600})
        assert (new["scopes"], new["name"]) == (old["scopes"], "ci") and new["key"] != old["key"]
        for key in (old["key"], new["key"]):
            async with tenant.client(key) as program:
                assert (await program.get("/agents")).status_code == 200
        await owner.asks("POST", path, 409)
        await platform.db.execute(
            "UPDATE api_keys SET expires_at = expires_at - interval '601 s' WHERE id = $1", old["id"]
        )
        listed = (await owner.asks("GET", "/api-keys"))["items"]
        assert next(each for each in listed if each["id"] == old["id"])["rotated_to"] == new["id"]
        once = await owner.asks("POST", f"/api-keys/{new['id']}/rotate", json={"overlap_seconds": 0})
        async with tenant.client(new["key"]) as program:
            assert (await program.get("/agents")).status_code == 401
        async with tenant.client(once["key"]) as program:
            assert (await program.get("/agents")).status_code == 200


async def test_when_a_key_was_last_used_is_noted(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with tenant.client() as program:
        await program.get("/agents")
        await platform.logic("backend").note_used_keys()
        (key,) = (await program.get("/api-keys")).json()["items"]
    assert key["last_used_at"]
