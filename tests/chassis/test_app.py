"""The guards of every port: who may call, how much, and what a failure looks like."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import ClientSession

from services.chassis.ids import new_id
from services.chassis.settings import key_hash
from services.chassis.testing import TestPlatform, platform_settings
from services.embedded.testing import WorkerStores
from tests.chassis.probe import NAME, probed


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    async with probed(stores.environment(), listen=True) as platform:
        yield platform


def key(platform: TestPlatform, caller: str = "backend") -> dict[str, str]:
    return {"X-Service-API-Key": platform.running.platform.service_keys[caller]}


async def call(
    platform: TestPlatform,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    data: object = None,
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    async with ClientSession() as session:
        url = platform.url(NAME) + path
        async with session.request(method, url, headers=headers, data=data) as answer:
            raw = await answer.read()
            return answer.status, orjson.loads(raw) if raw else {}, answer.headers


@pytest.mark.parametrize("headers", [{}, {"X-Service-API-Key": ""}, {"X-Service-API-Key": "wrong"}])
async def test_no_key_no_answer(platform: TestPlatform, headers: dict[str, str]) -> None:
    org = {"X-AgentPlane-Org": str(new_id()), "X-AgentPlane-Actor": "root"}
    for path in ("/who", "/org", "/openapi.json", "/nowhere", "/docs"):
        status, document, _ = await call(platform, "GET", path, headers | org)
        assert (status, document["code"]) == (401, "unauthenticated")


async def test_a_key_names_its_caller(platform: TestPlatform) -> None:
    for caller in ("backend", "executor"):
        _, document, _ = await call(platform, "GET", "/who", key(platform, caller))
        assert (document["caller"], document["actor"]) == (caller, caller)
    assert (await call(platform, "GET", "/backend-only", key(platform)))[0] == 200
    status, document, _ = await call(platform, "GET", "/backend-only", key(platform, "executor"))
    assert (status, document["code"]) == (403, "forbidden")


async def test_the_hash_of_a_key_is_no_key(platform: TestPlatform) -> None:
    digest = key_hash(platform.running.platform.service_keys["backend"])
    assert (await call(platform, "GET", "/who", {"X-Service-API-Key": digest}))[0] == 401


async def test_a_process_may_know_only_the_hash_of_a_key(stores: WorkerStores) -> None:
    settings = platform_settings(
        stores.environment(),
        ["executor"],
        accepted_service_keys=f"backend={key_hash('k1')}, cli={key_hash('k2')}",
    )
    async with probed(stores.environment(), listen=True, settings=settings) as platform:
        for given, caller in (("k1", "backend"), ("k2", "cli")):
            _, document, _ = await call(platform, "GET", "/who", {"X-Service-API-Key": given})
            assert document["caller"] == caller


@pytest.mark.parametrize("org", ["", "x", "1", "' OR 1=1", "00000000-0000-0000-0000-00000000000g"])
async def test_an_organisation_must_be_an_id(platform: TestPlatform, org: str) -> None:
    status, document, headers = await call(platform, "GET", "/org", key(platform) | {"X-AgentPlane-Org": org})
    assert (status, document["code"]) == (422, "invalid")
    assert headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b'{"name": 1}', 422),
        (b'{"name": "x", "unknown": 1}', 422),
        (b'{"name": "x", "\\ud800": 1}', 422),
        (b'{"name": "\\ud800"}', 422),
        (b'{"name": "\\u0000"}', 422),
        (b'{"name": "x", "number": 1e400}', 422),
        (b'{"name": "x", "number": 99999999999999999999999}', 422),
        (b'{"name": "x", "anything": "\\ud800"}', 422),
        (b'{"name": "x", "anything": {"\\u0000": 1}}', 422),
        (b'{"name": "x", "anything": 99999999999999999999999999}', 422),
        (b'{"name": "\xff"}', 400),
        (b"[" * 50_000, 400),
        (b'{"name": "x", "anything": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", 400),
    ],
)
async def test_a_bad_body_is_never_our_fault(platform: TestPlatform, body: bytes, status: int) -> None:
    headers = key(platform) | {"Content-Type": "application/json"}
    found, document, answered = await call(platform, "POST", "/things", headers, body)
    assert answered["Content-Type"] == "application/problem+json"
    assert (found, document["status"]) == (status, status)
    assert {"type", "title", "detail", "code", "instance"} <= document.keys()


async def test_too_large_a_body_is_refused_with_and_without_a_length(platform: TestPlatform) -> None:
    headers = key(platform) | {"Content-Type": "application/json"}

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * 1000

    for data in (b" " * 100_001, chunks()):
        status, document, _ = await call(platform, "POST", "/things", headers, data)
        assert (status, document["code"]) == (413, "too_large")
    fits = b'{"name": "x"}' + b" " * 90_000
    assert (await call(platform, "POST", "/things", headers, fits))[0] == 200


@pytest.mark.parametrize("path", ["/%ff", "/%00", "/who/../../etc", "/%ed%a0%80", "/who?x=%ff"])
async def test_odd_paths_are_answered(platform: TestPlatform, path: str) -> None:
    status, document, _ = await call(platform, "GET", path, key(platform))
    assert status in {200, 404}
    assert document


async def test_a_crash_is_a_problem_without_a_trace(platform: TestPlatform) -> None:
    status, document, headers = await call(platform, "GET", "/fail?kind=crash", key(platform))
    assert (status, document["code"]) == (500, "internal")
    assert "42" not in str(document)
    assert headers["Content-Type"] == "application/problem+json"


async def test_retry_after_is_a_header_too(platform: TestPlatform) -> None:
    status, document, headers = await call(platform, "GET", "/fail?kind=limited", key(platform))
    assert (status, document["retry_after"], headers["Retry-After"]) == (429, 2.5, "3")


async def test_the_wrong_method_is_a_problem(platform: TestPlatform) -> None:
    status, document, headers = await call(platform, "DELETE", "/who", key(platform))
    assert (status, document["code"], headers["Allow"]) == (405, "method_not_allowed", "GET")


async def test_the_document_names_failures_and_the_credential(platform: TestPlatform) -> None:
    _, document, _ = await call(platform, "GET", "/openapi.json", key(platform))
    assert document["security"] == [{"serviceKey": []}]
    assert document["components"]["securitySchemes"]["serviceKey"]["name"] == "X-Service-API-Key"
    assert "HTTPValidationError" not in document["components"]["schemas"]
    answers = document["paths"]["/things"]["post"]["responses"]
    problem = {"$ref": "#/components/schemas/Problem"}
    assert answers["default"]["content"] == {"application/problem+json": {"schema": problem}}
    assert set(answers) == {"200", "default"}


async def test_probes_and_metrics_are_open(platform: TestPlatform) -> None:
    assert (await call(platform, "GET", "/health"))[1]["status"] == "ok"
    assert (await call(platform, "GET", "/ready"))[1]["status"] == "ready"
    await call(platform, "GET", f"/nowhere/{new_id()}", key(platform))
    async with ClientSession() as session, session.get(platform.url(NAME) + "/metrics") as answer:
        page = await answer.text()
    assert 'route="/who"' in page
    assert "nowhere" not in page


async def test_a_websocket_needs_a_key_too(platform: TestPlatform) -> None:
    async with ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(platform.url(NAME) + "/who")


MEMBER = "INSERT INTO members (org_id, user_id, role) VALUES (gen_random_uuid(), gen_random_uuid(), '{}')"


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT 1/0", "invalid"),
        ("SELECT 'x'::int", "invalid"),
        (MEMBER.format("owner"), "not_found"),
        (MEMBER.format("king"), "invalid"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", "unavailable"),
        ("SELECT FROM nowhere", "unavailable"),
        ("DROP TABLE agents", "unavailable"),
    ],
)
async def test_what_the_database_refuses_is_a_problem(
    platform: TestPlatform, statement: str, code: str
) -> None:
    async with (
        ClientSession() as session,
        session.get(
            platform.url(NAME) + "/sql", params={"statement": statement}, headers=key(platform)
        ) as answer,
    ):
        document = orjson.loads(await answer.read())
    assert document["code"] == code
