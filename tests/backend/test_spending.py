"""Budgets, policies, prices and the stop through the public API: who may, and what is refused."""

import asyncio
from typing import Any

import httpx
import pytest

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from tests.backend.conftest import PASSWORD, Tenant, make_tenant
from tests.backend.test_agents import an_agent


async def asked(api: httpx.AsyncClient, method: str, path: str, status: int = 200, **more: Any) -> Any:
    answer = await api.request(method, path, **more)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def test_budgets_are_set_listed_and_lifted(api: httpx.AsyncClient) -> None:
    agent = await asked(api, "POST", "/agents", 201, json=an_agent())
    path = f"/budgets/agents/{agent['id']}"
    assert await asked(api, "GET", path) == []
    whole = await asked(api, "PUT", "/budgets/organisation", json={"cost_nano": 10**9, "period": "month"})
    assert (whole["scope"], whole["spent_nano"], whole["period_started_at"][8:10]) == (
        "organisation",
        0,
        "01",
    )
    own = await asked(api, "PUT", path, json={"tokens": 5, "tool_calls": 0})
    assert (own["agent_id"], own["cost_nano"], own["tool_calls"]) == (agent["id"], None, 0)
    assert await asked(api, "GET", "/budgets") == [whole, own]
    await asked(api, "DELETE", path, 204)
    await asked(api, "DELETE", path, 404)
    await asked(api, "DELETE", "/budgets/organisation", 204)
    assert await asked(api, "GET", "/budgets") == []
    for method in ("GET", "PUT", "DELETE"):
        await asked(api, method, f"/budgets/agents/{new_id()}", 404, json={})


@pytest.mark.parametrize(
    "body",
    [{"cost_nano": -1}, {"cost_nano": 2**70}, {"period": "week"}, {"usd": 1}, {"tokens": "many"}, []],
)
async def test_bad_budgets_are_refused(api: httpx.AsyncClient, body: Any) -> None:
    await asked(api, "PUT", "/budgets/organisation", 422, json=body)


async def test_an_agents_policy_is_part_of_its_version_and_goes_with_its_key(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    policy = {"models": ["scripted/*"], "tools": [{"tool": "db/*", "action": "deny"}]}
    agent = await asked(api, "POST", "/agents", 201, json=an_agent(policy=policy))
    assert agent["spec"]["policy"]["models"] == ["scripted/*"]
    headers = {"If-Match": f'"{agent["revision"]}"'}
    patch: dict[str, Any] = {"policy": {"models": []}}
    changed = await asked(api, "PATCH", f"/agents/{agent['id']}", json=patch, headers=headers)
    assert (changed["version"], changed["spec"]["policy"]["models"]) == (2, [])
    headers = {"If-Match": f'"{changed["revision"]}"'}
    removed = await asked(api, "PATCH", f"/agents/{agent['id']}", json={"policy": None}, headers=headers)
    assert removed["spec"]["policy"] is None


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"modells": []}, "modells"),
        ({"redact": ["("]}, "is not a regular expression of RE2"),
        ({"tools": [{"arguments": [{"path": "/a", "matches": "(?=x)"}]}]}, "is not a regular expression"),
        ({"tools": [{"arguments": [{"path": "a", "matches": "x"}]}]}, "path"),
        ({"tools": [{"action": "maybe"}]}, "action"),
        ({"tools": [{}] * 101}, "tools"),
        ({"approval_seconds": 0}, "approval_seconds"),
    ],
)
async def test_bad_policies_are_refused_wherever_they_are_given(
    api: httpx.AsyncClient, policy: Any, says: str
) -> None:
    for refused in (
        await api.put("/policies/organisation", json=policy),
        await api.post("/agents", json=an_agent(policy=policy)),
    ):
        assert refused.status_code == 422 and says in refused.text


async def test_the_organisations_policy(api: httpx.AsyncClient) -> None:
    await asked(api, "GET", "/policies/organisation", 404)
    first = await asked(api, "PUT", "/policies/organisation", json={"models": ["gpt-*"]})
    unseen = await asked(api, "PUT", "/policies/organisation", 428, json={"irreversible": "approve"})
    assert unseen["code"] == "precondition_required"
    read = await api.get("/policies/organisation")
    assert (read.json(), read.headers["etag"]) == (first, '"1"')
    seen = {"If-Match": read.headers["etag"]}
    second = await asked(api, "PUT", "/policies/organisation", json={"irreversible": "approve"}, headers=seen)
    assert (first["revision"], second["revision"], second["policy"]["models"]) == (1, 2, None)
    assert await asked(api, "GET", "/policies/organisation") == second
    for verb in ("PUT", "DELETE"):
        old = await asked(api, verb, "/policies/organisation", 412, headers=seen, **_body(verb))
        assert old["code"] == "stale"
    await asked(api, "DELETE", "/policies/organisation", 204, headers={"If-Match": '"2"'})
    await asked(api, "GET", "/policies/organisation", 404)


async def test_a_revision_of_the_policy_never_comes_back(api: httpx.AsyncClient) -> None:
    path = "/policies/organisation"
    old = (await asked(api, "PUT", path, json={"models": ["gpt-*"]}))["revision"]
    await asked(api, "DELETE", path, 204)
    await asked(api, "DELETE", path, 404)
    # Who read the removed one may not replace the next, which is another.
    await asked(api, "PUT", path, 412, json={}, headers={"If-Match": f'"{old}"'})
    again = await asked(api, "PUT", path, json={"models": []})
    assert again["revision"] == old + 2
    await asked(api, "PUT", path, 412, json={}, headers={"If-Match": f'"{old}"'})
    for unreadable in ('"x"', "", '"0"', f'"{2**63}"'):
        await asked(api, "PUT", path, 412, json={}, headers={"If-Match": unreadable})
    assert (await asked(api, "PUT", path, json={}, headers={"If-Match": "*"}))["revision"] == old + 3
    await asked(api, "DELETE", path, 204)


async def test_of_two_who_set_a_policy_at_once_one_is_told(api: httpx.AsyncClient) -> None:
    async def put(number: int, seen: str | None) -> int:
        headers = {"If-Match": seen} if seen else {}
        body = {"models": [f"m-{number}"]}
        return (await api.put("/policies/organisation", json=body, headers=headers)).status_code

    first = await asyncio.gather(*(put(number, None) for number in range(8)))
    assert sorted(first) == [200] + [428] * 7
    counts = (await api.get("/policies/organisation")).headers["etag"]
    second = await asyncio.gather(*(put(number, counts) for number in range(8)))
    assert sorted(second) == [200] + [412] * 7


def _body(verb: str) -> dict[str, Any]:
    return {"json": {}} if verb == "PUT" else {}


async def test_only_operators_of_the_platform_set_prices(platform: TestPlatform) -> None:
    other, operator = await make_tenant(platform), await make_tenant(platform, slug="default")
    price = {"model": f"m-{new_id()}", "input_nano": 1, "output_nano": 2}
    async with other.client() as api, operator.client() as operators:
        await asked(api, "POST", "/prices", 403, json=price)
        made = await asked(operators, "POST", "/prices", 201, json=price)
        assert (made["version"], made["source"].split(":")[0]) == (1, "key")
        assert await asked(api, "GET", "/prices/of", params={"model": price["model"]}) == made
        listed = await asked(api, "GET", "/prices")
        assert made in listed and any(each["source"] == "built-in" for each in listed)
        await asked(api, "GET", "/prices/of", 404, params={"model": "nobody-knows"})
        await asked(operators, "POST", "/prices", 422, json={**price, "output_nano": -1})


async def test_a_stop_and_its_lifting(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    async with tenant.client() as api:
        agent = await asked(api, "POST", "/agents", 201, json=an_agent())
        work = f"/agents/{agent['id']}/executions"
        running = await asked(api, "POST", work, 201, json={"input": 1})
        assert not (await asked(api, "GET", "/organisation/stop"))["stopped"]
        stop = await asked(api, "POST", "/organisation/stop", json={"reason": "too dear"})
        assert (stop["reason"], stop["cancelled"], stop["by"].split(":")[0]) == ("too dear", 1, "key")
        ended = await asked(api, "GET", f"/executions/{running['id']}")
        assert (ended["status"], ended["cause"]) == ("cancelled", "cancelled_by_user")
        refused = await asked(api, "POST", work, 409, json={"input": 1})
        assert (refused["code"], "too dear" in refused["detail"]) == ("illegal_state", True)
        await asked(api, "POST", "/organisation/stop", 422, json={"reason": ""})
        assert not (await asked(api, "DELETE", "/organisation/stop"))["stopped"]
        await asked(api, "POST", work, 201, json={"input": 1})
        audited = await asked(api, "GET", "/audit", params={"limit": 100})
        assert {each["action"] for each in audited["items"]} >= {"stop_organisation", "lift_stop"}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", set()),
        ("operator", {"stop"}),
        ("billing", {"budget"}),
        ("admin", {"stop", "budget", "policy"}),
    ],
)
async def test_roles(platform: TestPlatform, role: str, allowed: set[str]) -> None:
    person = await make_tenant(platform, role)
    asks = {
        "stop": ("DELETE", "/organisation/stop"),
        "budget": ("PUT", "/budgets/organisation"),
        "policy": ("PUT", "/policies/organisation"),
    }
    async with httpx.AsyncClient(base_url=f"{person.url}/api/v1", timeout=30) as api:
        login = {"email": person.email, "password": PASSWORD}
        token = (await asked(api, "POST", "/auth/login", json=login))["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        for name, (method, path) in asks.items():
            await asked(api, method, path, 200 if name in allowed else 403, json={}, headers=headers)


async def test_what_one_organisation_sets_another_neither_sees_nor_changes(platform: TestPlatform) -> None:
    one, two = await make_tenant(platform), await make_tenant(platform)
    async with one.client() as ours, two.client() as theirs:
        agent = await asked(ours, "POST", "/agents", 201, json=an_agent())
        await asked(ours, "PUT", f"/budgets/agents/{agent['id']}", json={"steps": 3})
        await asked(ours, "PUT", "/policies/organisation", json={})
        await asked(theirs, "GET", f"/budgets/agents/{agent['id']}", 404)
        await asked(theirs, "PUT", f"/budgets/agents/{agent['id']}", 404, json={})
        assert await asked(theirs, "GET", "/budgets") == []
        await asked(theirs, "GET", "/policies/organisation", 404)
        await asked(theirs, "POST", "/organisation/stop", json={"reason": "mine"})
        assert not (await asked(ours, "GET", "/organisation/stop"))["stopped"]
