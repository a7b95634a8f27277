"""Every route meets every kind of bad input: the answer is problem+json, and never a 5xx."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from backend.permissions import Require, is_public
from backend.routers import ROUTERS
from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from tests.backend.conftest import Tenant, make_tenant

PARAMETER = re.compile(r"{(\w+)}")
ROUTES = sorted(
    (
        (method, route.path, route)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ),
    key=lambda each: each[:2],
)
API_ROUTES = [(method, path) for method, path, _ in ROUTES if path.startswith("/api/")]
GUARDED = [
    (method, path)
    for method, path, route in ROUTES
    if path.startswith("/api/") and not any(is_public(each.dependency) for each in route.dependencies)
]

BAD_SEGMENTS = ["not-a-uuid", "%00", "0", "-1", "9" * 40, "a" * 3000, "%ED%A0%80", "..%2f..", "%F0%9F%98%80"]
BAD_BODIES = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"[[[" * 20_000,
    b'"text"',
    b"123",
    b"NaN",
    b"1e999",
    b"9" * 5000,
    b"\xff\xfe",
    b'{"input": "\\ud800", "name": "\\ud800"}',
    b'{"input": NaN}',
    b'{"name": "a\\u0000b", "description": "\\u0000", "input": "\\u0000", "docker_image": "a\\u0000"}',
    b'{"name": "nul", "docker_image": "agent-runtime:latest", "env_vars": {"A": "\\u0000"}}',
    b'{"name": "nul", "docker_image": "agent-runtime:latest", "description": "\\u0000"}',
    b'{"replicas": 99999999999999999999999, "version": 99999999999999999999999}',
    b'{"replicas": -1, "version": -1, "cordoned": "perhaps"}',
    b'{"name": {"a": []}, "scopes": "x", "slug": 5, "email": [], "password": {}}',
    b'{"email": "a\\u0000@b", "password": "\\u0000"}',
    b'{"name": "x", "scopes": ["\\u0000"], "expires_in_days": 1e300}',
    b'{"slug": "ok-\\u0000", "name": "\\u0000"}',
    b'{"channels": ["nobody"]}',
    b'{"refresh_token": "\\u0000"}',
]
BAD_QUERIES = [
    "limit=0",
    "limit=-1",
    "limit=99999999999999999999",
    "limit=x",
    "cursor=%00",
    "cursor=!!!!",
    "cursor=AAAAAAAAAAAAAAAAAAAAAA",
    "cursor=" + "A" * 5000,
    "name=%00",
    "name=%ED%A0%80",
    "state=%00",
    "status=nonsense",
    "agent_id=x",
    "after_seq=-1",
    "after_seq=99999999999999999999",
    "timeout_seconds=NaN",
    "timeout_seconds=-1",
    "after=%00",
    "since_seconds=1e9&step_seconds=0",
    "follow=perhaps",
]


def filled(path: str, value: str) -> str:
    return PARAMETER.sub(value, path)


def judge(response: httpx.Response, what: object, *expected: int) -> None:
    assert response.status_code < 500, (what, response.status_code, response.text[:300])
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json", (what, response.text[:200])
        assert response.json()["code"], what
    if expected:
        assert response.status_code in expected, (what, response.status_code, response.text[:300])


@pytest.fixture
async def raw(platform: TestPlatform) -> Any:
    # A tenant of its own, for some bad input is good enough to change something.
    tenant = await make_tenant(platform)
    async with httpx.AsyncClient(
        base_url=tenant.url, headers={"Authorization": f"Bearer {tenant.key}"}, timeout=30
    ) as client:
        yield client


def test_every_route_names_its_permission_or_says_it_is_public() -> None:
    for method, path, route in ROUTES:
        dependencies = [each.call for each in route.dependant.dependencies]
        guarded = any(isinstance(call, Require) for call in dependencies)
        assert guarded or any(is_public(call) for call in dependencies), (method, path)
        assert not (guarded and any(is_public(call) for call in dependencies)), (method, path)


def test_operation_ids_and_summaries_are_unique() -> None:
    shown = [route for _, _, route in ROUTES if route.include_in_schema]
    assert len({route.name for route in shown}) == len(shown)
    assert len({(route.summary, tuple(route.tags)) for route in shown}) == len(shown)
    assert all(route.response_model or route.status_code == 204 or route.name in RAW for route in shown), [
        route.name for route in shown if not route.response_model
    ]


RAW = {"stream_execution_events", "download_bundle", "log_out", "export_audit", "export_execution"}


@pytest.mark.parametrize("credential", ["", "Bearer x", "Basic eDp4", "Bearer ap_live_x", "Bearer \xff\xfe"])
async def test_without_a_credential_nothing_opens(tenant: Tenant, credential: str) -> None:
    headers = [(b"Authorization", credential.encode("latin-1"))] if credential else []
    async with httpx.AsyncClient(base_url=tenant.url, headers=headers, timeout=30) as client:
        for method, path in GUARDED:
            response = await client.request(method, filled(path, str(new_id())), content=b"{")
            judge(response, (method, path), 401)
            assert response.headers["www-authenticate"] == "Bearer"


async def test_an_expired_key_opens_nothing(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    made = (await api.post("/api-keys", json={"name": "old", "scopes": ["agents:read"]})).json()
    await platform.db.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", made["id"])
    async with tenant.client(made["key"]) as client:
        for method, path in GUARDED:
            response = await client.request(method, f"{tenant.url}{filled(path, str(new_id()))}")
            judge(response, (method, path), 401)
            assert response.json()["code"] == "token_expired"


async def test_a_key_without_the_scope_opens_nothing_but_its_own(
    tenant: Tenant, api: httpx.AsyncClient
) -> None:
    made = (await api.post("/api-keys", json={"name": "narrow", "scopes": ["metrics:read"]})).json()
    anyone = {"/api/v1/auth/me", "/api/v1/ws-ticket", "/api/v1/organisations", "/api/v1/roles"}
    async with tenant.client(made["key"]) as client:
        for method, path in GUARDED:
            if path in anyone or path.endswith("/metrics"):
                continue
            response = await client.request(
                method, f"{tenant.url}{filled(path, str(new_id()))}", json={} if method != "GET" else None
            )
            judge(response, (method, path), 403)


async def test_unknown_ids_are_not_found(raw: httpx.AsyncClient) -> None:
    for method, path in GUARDED:
        if not PARAMETER.search(path) or path.startswith(("/api/v1/nodes", "/api/v1/auth")):
            continue
        response = await raw.request(
            method,
            filled(path, str(new_id())),
            params=CONFIRMED,
            json=GOOD_BODIES.get(path.rpartition("/")[2], {}) if method in {"POST", "PATCH"} else None,
            headers={"If-Match": "*"},
        )
        judge(response, (method, path), 404, 422)


CONFIRMED = {"confirm": "yes"}
GOOD_BODIES: dict[str, Any] = {
    "{user_id}": {"role": "viewer"},
    "scale": {"replicas": 1},
    "rollback": {"version": 1},
    "divergence": {"on_divergence": "live"},
    "{organisation_id}": {"name": "New"},
}


async def test_bad_path_segments(raw: httpx.AsyncClient) -> None:
    for (method, path), segment in itertools.product(API_ROUTES, BAD_SEGMENTS):
        if PARAMETER.search(path):
            response = await raw.request(method, filled(path, segment), headers={"If-Match": "*"})
            judge(response, (method, path, segment[:40]))
            assert response.status_code >= 400


async def test_bad_bodies(raw: httpx.AsyncClient) -> None:
    known = await raw.post("/api/v1/agents", json={"name": "known", "docker_image": "agent-runtime:latest"})
    agent_id = known.json()["id"]
    for (method, path), body in itertools.product(API_ROUTES, BAD_BODIES):
        if method in {"POST", "PATCH", "PUT"}:
            response = await raw.request(
                method,
                filled(path, agent_id),
                content=body,
                headers={"Content-Type": "application/json", "If-Match": "*", "X-Requested-With": "test"},
            )
            judge(response, (method, path, body[:80]))


async def test_bad_queries(raw: httpx.AsyncClient) -> None:
    known = await raw.post("/api/v1/agents", json={"name": "known", "docker_image": "agent-runtime:latest"})
    for (method, path), query in itertools.product(API_ROUTES, BAD_QUERIES):
        if method == "GET":
            response = await raw.get(f"{filled(path, known.json()['id'])}?{query}")
            judge(response, (method, path, query[:40]))


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Match": "W/x, *y"},
        {"If-Match": '"99999999999999999999999"'},
        {"Idempotency-Key": "x" * 500},
        {"Idempotency-Key": "a\tb"},
        {"Last-Event-ID": "nonsense"},
        {"traceparent": "nonsense"},
        {"Content-Type": "text/plain"},
        {"Content-Type": ";;;"},
    ],
)
async def test_bad_headers(raw: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for method, path in API_ROUTES:
        response = await raw.request(
            method, filled(path, str(new_id())), content=b'{"name": "x"}', headers=headers
        )
        judge(response, (method, path, headers))


async def test_no_route_and_no_method(raw: httpx.AsyncClient) -> None:
    judge(await raw.get("/api/v1/nothing"), "path", 404)
    judge(await raw.put("/api/v1/agents"), "method", 405)


def foreign_parameters() -> Iterator[tuple[str, str, str]]:
    for method, path in GUARDED:
        for parameter in PARAMETER.findall(path):
            yield method, path, parameter


async def test_ids_of_another_organisation_do_not_exist(
    platform: TestPlatform, raw: httpx.AsyncClient
) -> None:
    other = await make_tenant(platform)
    async with other.client() as theirs:
        body = {"name": "theirs", "docker_image": "agent-runtime:latest"}
        agent = (await theirs.post("/agents", json=body)).json()["id"]
        key = (await theirs.post("/api-keys", json={"name": "theirs", "scopes": ["agents:read"]})).json()[
            "id"
        ]
        account = await theirs.post("/service-accounts", json={"name": "theirs", "role": "viewer"})
        invited = await theirs.post("/invitations", json={"email": "a@b.example", "role": "viewer"})
        execution = await theirs.post(f"/agents/{agent}/executions", json={"input": 1})
        ids = {
            "agent_id": agent,
            "api_key_id": key,
            "organisation_id": str(other.org_id),
            "user_id": str(other.user_id),
            "invitation_id": invited.json()["id"],
            "service_account_id": account.json()["id"],
            "execution_id": execution.json().get("id", str(new_id())),
            "digest": "0" * 64,
            "seq": "1",
        }
        for method, path, parameter in foreign_parameters():
            if parameter not in ids or path.startswith("/api/v1/nodes"):
                continue
            target = PARAMETER.sub(lambda match: ids.get(match[1], str(new_id())), path)
            sent = GOOD_BODIES.get(path.rpartition("/")[2], {}) if method in {"POST", "PATCH"} else None
            response = await raw.request(
                method, target, json=sent, params=CONFIRMED, headers={"If-Match": "*"}
            )
            judge(response, (method, target), 404, 422)
        assert (await theirs.get(f"/agents/{agent}")).json()["revision"] == 1
        listed = await raw.get("/api/v1/executions", params={"agent_id": agent})
        judge(listed, "filter", 404)
        cursor = (await theirs.get("/agents", params={"limit": 1})).json()["next_cursor"]
        assert cursor is None
