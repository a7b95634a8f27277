"""Organisations for real: members and their roles, invitations, several organisations of one person."""

import asyncio

import httpx

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from tests.backend.conftest import PASSWORD, Tenant, make_tenant
from tests.backend.people import joined, organisation_of, owner_of
from tests.platform import make_agent


async def test_who_is_invited_joins_in_the_role_and_may_what_it_says(tenant: Tenant) -> None:
    async with owner_of(tenant) as owner, joined(owner, "viewer") as viewer:
        members = await owner.asks("GET", f"/organisations/{tenant.org_id}/members")
        assert {each["email"]: each["role"] for each in members}[viewer.email] == "viewer"
        await viewer.asks("GET", "/agents")
        await viewer.asks("POST", "/invitations", 403, json={"email": "a@b.c", "role": "viewer"})
        listed = (await owner.asks("GET", "/invitations"))["items"]
        assert (listed[0]["email"], listed[0]["state"]) == (viewer.email, "accepted")
        assert all("token" not in each for each in listed)


async def test_the_token_is_good_once_and_only_its_hash_is_kept(
    platform: TestPlatform, tenant: Tenant
) -> None:
    async with owner_of(tenant) as owner:
        email = f"{new_id()}@example.com"
        made = await owner.asks("POST", "/invitations", json={"email": email, "role": "developer"})
        row = await platform.db.fetchrow(
            "SELECT i::text AS kept FROM invitations i WHERE id = $1", made["id"]
        )
        assert row is not None and made["token"] not in row["kept"]
        async with httpx.AsyncClient(base_url=owner.http.base_url, timeout=60) as stranger:
            shown = (await stranger.post("/invitations/show", json={"token": made["token"]})).json()
            assert (shown["email"], shown["role"], shown["account_exists"]) == (email, "developer", False)
            accept = {"token": made["token"], "password": "short"}
            assert (await stranger.post("/invitations/accept", json=accept)).status_code == 422
            accept["password"] = PASSWORD
            answers = await asyncio.gather(
                *(stranger.post("/invitations/accept", json=accept) for _ in range(5))
            )
            assert sorted(answer.status_code for answer in answers)[0] == 201
            assert {answer.status_code for answer in answers} <= {201, 404, 409, 401}
            assert [answer.status_code for answer in answers].count(201) == 1


async def test_revoked_expired_and_replaced_invitations_open_nothing(
    platform: TestPlatform, tenant: Tenant
) -> None:
    async with owner_of(tenant) as owner:
        ask = {"email": f"{new_id()}@example.com", "role": "viewer"}
        replaced = await owner.asks("POST", "/invitations", json=ask)
        revoked = await owner.asks("POST", "/invitations", json=ask)
        await owner.asks("DELETE", f"/invitations/{revoked['id']}")
        late = await owner.asks("POST", "/invitations", json=ask)
        await platform.db.execute(
            "UPDATE invitations SET expires_at = clock_timestamp() WHERE id = $1", late["id"]
        )
        for each in (replaced, revoked, late):
            body = {"token": each["token"], "password": PASSWORD}
            await owner.asks("POST", "/invitations/accept", 404, json=body)
        states = {each["id"]: each["state"] for each in (await owner.asks("GET", "/invitations"))["items"]}
        assert [states[each["id"]] for each in (replaced, revoked, late)] == ["revoked", "revoked", "expired"]


async def test_somebody_with_an_account_joins_with_its_own_password(
    platform: TestPlatform, tenant: Tenant
) -> None:
    other = await make_tenant(platform)
    async with owner_of(tenant) as owner:
        ask = {"email": other.email.upper(), "role": "auditor"}
        made = await owner.asks("POST", "/invitations", json=ask)
        wrong = {"token": made["token"], "password": "another password"}
        await owner.asks("POST", "/invitations/accept", 401, json=wrong)
        done = await owner.asks(
            "POST", "/invitations/accept", json={"token": made["token"], "password": PASSWORD}
        )
        assert (done["new_account"], done["user_id"]) == (False, str(other.user_id))
        await owner.asks("POST", "/invitations", 409, json=ask)


async def test_nobody_grants_a_role_above_their_own(tenant: Tenant) -> None:
    members = f"/organisations/{tenant.org_id}/members"
    async with owner_of(tenant) as owner, joined(owner, "admin") as admin, joined(owner, "viewer") as viewer:
        await admin.asks("PATCH", f"{members}/{viewer.user_id}", 403, json={"role": "owner"})
        await admin.asks("POST", "/invitations", 403, json={"email": "x@example.com", "role": "owner"})
        await admin.asks("PATCH", f"{members}/{tenant.user_id}", 403, json={"role": "viewer"})
        await admin.asks("DELETE", f"{members}/{tenant.user_id}", 403)
        await admin.asks("POST", f"{members}/{tenant.user_id}/password-reset", 403)
        account = {"name": f"a{new_id()}", "role": "owner"}
        await admin.asks("POST", "/service-accounts", 403, json=account)
        promoted = await admin.asks("PATCH", f"{members}/{viewer.user_id}", json={"role": "operator"})
        assert promoted["role"] == "operator"
        # The next request of the member is made in the new role.
        assert (await viewer.asks("GET", "/auth/me"))["role"] == "operator"
        await viewer.asks("PATCH", f"{members}/{viewer.user_id}", 403, json={"role": "admin"})
        await owner.asks("PATCH", f"{members}/{new_id()}", 404, json={"role": "viewer"})


async def test_the_last_owner_stays(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    members = f"/organisations/{tenant.org_id}/members"
    async with owner_of(tenant) as owner, joined(owner, "owner") as second:
        # Both remove the other at once: one of them must stay.
        answers = await asyncio.gather(
            owner.http.delete(f"{members}/{second.user_id}"),
            second.http.delete(f"{members}/{owner.user_id}"),
        )
        assert sorted(answer.status_code for answer in answers)[0] == 204
        assert sorted(answer.status_code for answer in answers)[1] in (401, 404, 409)
        left = await platform.db.fetch("SELECT user_id, role FROM members WHERE org_id = $1", tenant.org_id)
        assert [row["role"] for row in left] == ["owner"]
        stays = owner if left[0]["user_id"] == owner.user_id else second
        last = f"{members}/{stays.user_id}"
        refused = await stays.asks("PATCH", last, 409, json={"role": "admin"})
        assert refused["code"] == "illegal_state" and "last owner" in refused["detail"]
        await stays.asks("DELETE", last, 409)


async def test_a_removed_member_has_nothing_left(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with owner_of(tenant) as owner, joined(owner, "admin") as admin:
        key = (await admin.asks("POST", "/api-keys", json={"name": "k", "scopes": ["agents:read"]}))["key"]
        invited = await admin.asks("POST", "/invitations", json={"email": "friend@x.com", "role": "admin"})
        await owner.asks("DELETE", f"/organisations/{tenant.org_id}/members/{admin.user_id}")
        await admin.asks("GET", "/agents", 401)
        async with tenant.client(key) as program:
            assert (await program.get("/agents")).status_code == 401
        accept = {"token": invited["token"], "password": PASSWORD}
        await owner.asks("POST", "/invitations/accept", 404, json=accept)
        login = {"email": admin.email, "password": PASSWORD}
        await owner.asks("POST", "/auth/login", 403, json=login)


async def test_a_key_does_not_outgrow_the_role_of_its_person(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with owner_of(tenant) as owner, joined(owner, "developer") as developer:
        scopes = ["agents:read", "agents:write"]
        made = await developer.asks("POST", "/api-keys", json={"name": "k", "scopes": scopes})
        await owner.asks(
            "PATCH",
            f"/organisations/{tenant.org_id}/members/{developer.user_id}",
            json={"role": "viewer"},
        )
        async with tenant.client(made["key"]) as program:
            me = (await program.get("/auth/me")).json()
        assert me["permissions"] == ["agents:read"]


async def test_one_person_acts_for_several_organisations(platform: TestPlatform) -> None:
    tenant, slug = await make_tenant(platform), f"second-{new_id().hex[-12:]}"
    async with owner_of(tenant) as person:
        second = await person.asks("POST", "/organisations", json={"slug": slug, "name": "Second"})
        assert {each["slug"] for each in await person.asks("GET", "/organisations")} >= {slug}
        await person.asks("GET", f"/organisations/{second['id']}", 404)
        first_token = person.http.headers["Authorization"]
        switched = await person.asks("POST", "/auth/switch", json={"organisation": slug})
        person.http.headers["Authorization"] = f"Bearer {switched['access_token']}"
        assert (await person.asks("GET", "/auth/me"))["organisation_slug"] == slug
        # The other page goes on where it was, and the family of refresh tokens is still one.
        me = await person.asks("GET", "/auth/me", headers={"Authorization": first_token})
        assert me["organisation_id"] == str(tenant.org_id)
        await person.asks("POST", "/auth/switch", 404, json={"organisation": "nowhere"})
    async with httpx.AsyncClient(base_url=f"{tenant.url}/api/v1", timeout=30) as client:
        login = {"email": tenant.email, "password": PASSWORD, "client": "cli"}
        begun = (await client.post("/auth/login", json=login)).json()
        bearer = {"Authorization": f"Bearer {begun['access_token']}"}
        await client.post("/auth/switch", json={"organisation": slug}, headers=bearer)
        body = {"refresh_token": begun["refresh_token"]}
        renewed = (await client.post("/auth/refresh", json=body)).json()
        bearer = {"Authorization": f"Bearer {renewed['access_token']}"}
        assert (await client.get("/auth/me", headers=bearer)).json()["organisation_slug"] == slug


async def test_switching_is_for_members_and_sessions_only(platform: TestPlatform, tenant: Tenant) -> None:
    other = await make_tenant(platform)
    async with owner_of(tenant) as owner, tenant.client() as program:
        await owner.asks("POST", "/auth/switch", 404, json={"organisation": str(other.org_id)})
        refused = await program.post("/auth/switch", json={"organisation": str(tenant.org_id)})
        assert refused.status_code == 403


async def test_deleting_an_organisation_is_guarded(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    path, slug = f"/organisations/{tenant.org_id}", f"doomed-{new_id().hex[-12:]}"
    await platform.db.execute("UPDATE organisations SET slug = $2 WHERE id = $1", tenant.org_id, slug)
    agent_id = await make_agent(platform.db, tenant.org_id)
    async with owner_of(tenant) as owner, joined(owner, "admin") as admin:
        await admin.asks("DELETE", path, 403, params={"confirm": slug})
        await owner.asks("DELETE", path, 422, params={"confirm": "wrong"})
        refused = await owner.asks("DELETE", path, 409, params={"confirm": slug})
        assert "1 agents" in refused["detail"]
        await platform.db.execute("UPDATE agents SET deleted_at = now() WHERE id = $1", agent_id)
        await owner.asks("DELETE", path, params={"confirm": slug})
        await owner.asks("GET", "/agents", 401)
        async with tenant.client() as program:
            assert (await program.get("/agents")).status_code == 401
        assert (await organisation_of(platform, tenant.org_id))["deleted_at"]
        await owner.asks("POST", "/auth/login", 403, json={"email": owner.email, "password": PASSWORD})


async def test_the_operators_organisation_is_not_deleted(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform, slug="default")
    async with owner_of(tenant) as owner:
        path = f"/organisations/{tenant.org_id}"
        refused = await owner.asks("DELETE", path, 409, params={"confirm": "default"})
        assert "operators" in refused["detail"]
