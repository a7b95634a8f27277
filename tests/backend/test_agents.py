"""Agents: the documented request works as written, secrets go to the vault, changes are versions."""

import asyncio
from typing import Any

import httpx

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.secrets_manager import SecretsManagerClient
from tests.backend.conftest import Tenant, make_tenant


def an_agent(**more: Any) -> dict[str, Any]:
    name = f"agent-{new_id().hex[-12:]}"
    return {"name": name, "docker_image": "agent-runtime:latest", **more}


async def deployed(api: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    response = await api.post("/agents", json=an_agent(**more))
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_the_documented_request_works_as_written(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    response = await api.post(
        "/agents",
        json={
            "name": "research-agent",
            "docker_image": "agent-runtime:latest",
            "cpu_limit": 1.0,
            "memory_limit": "512m",
            "env_vars": {"AGENT_ROLE": "research", "OPENAI_API_KEY": "sk-..."},
        },
    )
    assert response.status_code == 201, response.text
    agent = response.json()
    assert agent["spec"]["memory_limit_bytes"] == 512 * 1024**2
    assert agent["spec"]["env_vars"] == {"AGENT_ROLE": "research"}
    path = agent["spec"]["provider_keys"]["OPENAI_API_KEY"]
    assert path == f"agents/{agent['id']}/env/OPENAI_API_KEY"
    gateway = platform.client(SecretsManagerClient, "agent-gateway")
    assert (await gateway.reveal(tenant.org_id, path)).value == "sk-..."
    assert response.headers["etag"] == '"1"'
    shown = await api.get(f"/agents/{agent['id']}")
    assert shown.json()["name"] == "research-agent"
    row = await platform.db.fetchrow(
        "SELECT (SELECT count(*) FROM outbox WHERE subject_id = $1) AS events,"
        " (SELECT count(*) FROM agent_versions WHERE agent_id = $1) AS versions",
        agent["id"],
    )
    assert row is not None
    assert (row["events"], row["versions"]) >= (1, 1)


async def test_a_secret_is_nowhere_but_in_the_vault(platform: TestPlatform, api: httpx.AsyncClient) -> None:
    canary = "sk-proj-canary7f3a9"
    agent = await deployed(api, env_vars={"SOME_KEY": canary})
    assert canary not in str(agent)
    for table in ("agents", "agent_versions", "outbox", "audit_logs", "idempotency_keys"):
        rows = await platform.db.fetch(f"SELECT 1 FROM {table} t WHERE t::text LIKE '%' || $1 || '%'", canary)
        assert not rows, table


async def test_raw_secrets_stay_when_asked(api: httpx.AsyncClient) -> None:
    agent = await deployed(api, env_vars={"OPENAI_API_KEY": "sk-x"}, allow_raw_secrets=True)
    assert agent["spec"]["env_vars"] == {"OPENAI_API_KEY": "sk-x"}


async def test_a_name_is_unique_until_its_agent_is_deleted(api: httpx.AsyncClient) -> None:
    agent = await deployed(api)
    again = await api.post("/agents", json={"name": agent["name"], "docker_image": "agent-runtime:latest"})
    assert (again.status_code, again.json()["code"]) == (409, "already_exists")
    assert (await api.delete(f"/agents/{agent['id']}")).status_code == 204
    assert (await api.get(f"/agents/{agent['id']}")).status_code == 404
    again = await api.post("/agents", json={"name": agent["name"], "docker_image": "agent-runtime:latest"})
    assert again.status_code == 201


async def test_a_change_needs_the_revision_it_was_made_for(api: httpx.AsyncClient) -> None:
    agent = await deployed(api, env_vars={"A": "1", "B": "2"})
    path = f"/agents/{agent['id']}"
    assert (await api.patch(path, json={"cpu_limit": 2})).status_code == 428
    changed = await api.patch(
        path, json={"cpu_limit": 2, "env_vars": {"A": None, "C": "3"}}, headers={"If-Match": '"1"'}
    )
    assert changed.status_code == 200, changed.text
    spec = changed.json()["spec"]
    assert (spec["cpu_limit"], spec["env_vars"]) == (2, {"B": "2", "C": "3"})
    assert (changed.json()["version"], changed.headers["etag"]) == (2, '"2"')
    stale = await api.patch(path, json={"cpu_limit": 3}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale")
    described = await api.patch(path, json={"description": "new"}, headers={"If-Match": '"2"'})
    assert (described.json()["version"], described.json()["revision"]) == (2, 3)


async def test_rolling_back_makes_a_new_version(api: httpx.AsyncClient) -> None:
    agent = await deployed(api, cpu_limit=1)
    path = f"/agents/{agent['id']}"
    await api.patch(path, json={"cpu_limit": 2}, headers={"If-Match": "*"})
    back = await api.post(f"{path}/rollback", json={"version": 1})
    assert back.status_code == 200, back.text
    assert (back.json()["version"], back.json()["spec"]["cpu_limit"]) == (3, 1)
    versions = (await api.get(f"{path}/versions", params={"limit": 2})).json()
    assert [each["version"] for each in versions["items"]] == [3, 2]
    rest = (await api.get(f"{path}/versions", params={"cursor": versions["next_cursor"]})).json()
    assert [each["version"] for each in rest["items"]] == [1]
    assert (await api.post(f"{path}/rollback", json={"version": 9})).status_code == 404


async def test_changes_at_once_each_make_a_version(api: httpx.AsyncClient) -> None:
    path = f"/agents/{(await deployed(api))['id']}"
    answers = await asyncio.gather(
        *(api.patch(path, json={"cpu_limit": 1 + each}, headers={"If-Match": "*"}) for each in range(1, 13))
    )
    assert {answer.status_code for answer in answers} == {200}
    versions = (await api.get(f"{path}/versions")).json()["items"]
    assert [each["version"] for each in versions] == list(range(13, 0, -1))


async def test_stop_start_scale_and_restart_say_what_is_wanted(api: httpx.AsyncClient) -> None:
    agent = await deployed(api)
    path = f"/agents/{agent['id']}"
    assert (await api.post(f"{path}/stop")).json()["desired_state"] == "stopped"
    refused = await api.post(f"{path}/executions", json={"input": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_state")
    assert (await api.post(f"{path}/start")).json()["desired_state"] == "running"
    assert (await api.post(f"{path}/scale", json={"replicas": 3})).json()["desired_replicas"] == 3
    before = (await api.get(path)).json()["generation"]
    assert (await api.post(f"{path}/restart")).json()["generation"] == before + 1


async def test_what_cannot_be_run_is_refused_with_the_reason(api: httpx.AsyncClient) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"docker_image": None}, "docker_image or bundle"),
        ({"memory_limit": "1x"}, "memory"),
        ({"memory_limit": "1k"}, "memory_limit"),
        ({"cpu_limit": 0}, "cpu_limit"),
        ({"cpu_limit": "NaN"}, "cpu_limit"),
        ({"env_vars": {"1A": "x"}}, "env_vars"),
        ({"concurrency": 2}, "concurrency_attribution"),
        ({"singleton": True, "replicas": 2}, "singleton"),
        ({"bundle": "0" * 64}, "no bundle"),
        ({"nonsense": 1}, "nonsense"),
    ]
    for wrong, where in cases:
        response = await api.post("/agents", json=an_agent(**wrong))
        assert response.status_code == 422, (wrong, response.text)
        assert where in response.text, (wrong, response.text)


async def test_pages_follow_each_other_without_gap_or_repeat(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with tenant.client() as api:
        made = [(await deployed(api))["id"] for _ in range(5)]
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 2}
        while query:
            page = (await api.get("/agents", params=query)).json()
            seen += [agent["id"] for agent in page["items"]]
            more = page["next_cursor"]
            query = {"limit": 2, "cursor": more} if more else {}
        assert seen == made[::-1]


async def test_the_same_idempotency_key_deploys_once(api: httpx.AsyncClient) -> None:
    body, key = an_agent(), {"Idempotency-Key": str(new_id())}
    first = await api.post("/agents", json=body, headers=key)
    second = await api.post("/agents", json=body, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    other = await api.post("/agents", json=an_agent(), headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")


async def test_only_the_platform_s_operators_loosen_isolation(platform: TestPlatform) -> None:
    other, operator = await make_tenant(platform), await make_tenant(platform, slug="default")
    async with other.client() as api, operator.client() as operators:
        agent = await deployed(api)
        for level in ("none", "user"):
            refused = await api.post("/agents", json=an_agent(isolation=level))
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert "nodes:write" in refused.json()["detail"]
            patched = await api.patch(
                f"/agents/{agent['id']}", json={"isolation": level}, headers={"If-Match": "*"}
            )
            assert patched.status_code == 403
        allowed = await operators.post("/agents", json=an_agent(isolation="user"))
        assert allowed.status_code in {201, 422}, allowed.text
