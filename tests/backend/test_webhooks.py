"""Webhooks through the public API and the command: who may, what is shown, and a message that arrives."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from services.chassis.settings import ServiceSettings
from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from tests.backend.conftest import Tenant, make_tenant
from tests.platform import platform_of
from tests.services.event_processor.receiver import Receiver


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores, overrides: list[ServiceSettings]) -> AsyncIterator[TestPlatform]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTPLANE_EGRESS_PRIVATE_ALLOW", "127.0.0.1")
        names = ["backend", "event-processor", "secrets-manager"]
        async with platform_of(names, stores.environment(), listen=True, overrides=overrides) as platform:
            yield platform


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    runner = await made.start()
    yield made
    await runner.cleanup()


async def test_a_webhook_is_made_tested_and_deleted(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient, receiver: Receiver
) -> None:
    body = {"url": receiver.url + "/hook", "event_types": ["agent.*"], "description": "ours"}
    repeated = {"Idempotency-Key": str(uuid4())}
    made = await api.post("/webhooks", json=body, headers=repeated)
    assert made.status_code == 201, made.text
    again = await api.post("/webhooks", json=body, headers=repeated)
    assert again.json() == made.json()
    hook, secret = made.json(), made.json()["secret"]
    assert made.headers["Location"] == f"/api/v1/webhooks/{hook['id']}"
    shown = (await api.get(f"/webhooks/{hook['id']}")).json()
    assert "secret" not in shown and shown == {k: v for k, v in hook.items() if k != "secret"}
    assert [each["id"] for each in (await api.get("/webhooks")).json()["items"]] == [hook["id"]]
    test = (await api.post(f"/webhooks/{hook['id']}/test")).json()
    path = f"/webhooks/{hook['id']}/deliveries/{test['id']}"
    async with asyncio.timeout(15):
        while (await api.get(path)).json()["state"] != "delivered":
            await asyncio.sleep(0.1)
    assert receiver.at("/hook")[0].headers["webhook-id"] == test["id"]
    assert (await api.post(path + "/resend")).status_code == 202
    patched = await api.patch(f"/webhooks/{hook['id']}", json={"state": "disabled"})
    assert (patched.json()["state"], patched.json()["disabled_reason"]) == ("disabled", "by_user")
    assert (await api.post(f"/webhooks/{hook['id']}/test")).status_code == 409
    assert (await api.post(f"/webhooks/{hook['id']}/rotate", json={})).json()["secret"] != secret
    assert (await api.delete(f"/webhooks/{hook['id']}")).status_code == 204
    assert (await api.get(f"/webhooks/{hook['id']}")).status_code == 404
    records = await platform.db.fetch(
        "SELECT a::text AS kept FROM audit_logs a WHERE org_id = $1", tenant.org_id
    )
    assert records and all(secret[6:] not in record["kept"] for record in records)


async def test_what_cannot_be_accepted_is_named(api: httpx.AsyncClient) -> None:
    for url, why in (
        ("https://169.254.169.254/latest", "metadata"),
        ("http://127.0.0.1:8000/", "belongs to the platform"),
        ("https://user:password@example.com/", "user name"),
    ):
        answer = await api.post("/webhooks", json={"url": url})
        assert (answer.status_code, answer.json()["code"]) == (422, "unsafe_url"), answer.text
        assert why in answer.json()["detail"]
    for body in (
        {},
        {"url": "https://1.1.1.1/", "event_types": ["*"]},
        {"url": "https://1.1.1.1/", "event": 1},
    ):
        assert (await api.post("/webhooks", json=body)).status_code == 422
    assert (await api.get("/webhooks", params={"cursor": "nonsense"})).status_code == 422


async def test_viewers_look_and_strangers_see_nothing(
    platform: TestPlatform, api: httpx.AsyncClient, receiver: Receiver
) -> None:
    hook = (await api.post("/webhooks", json={"url": receiver.url})).json()
    stranger = await make_tenant(platform)
    async with stranger.client() as other:
        assert (await other.get("/webhooks")).json()["items"] == []
        for method, path, body in (
            ("GET", "", None), ("PATCH", "", {"description": "mine"}), ("DELETE", "", None),
            ("POST", "/test", None), ("POST", "/rotate", {}), ("GET", "/deliveries", None),
        ):  # fmt: skip
            answer = await other.request(method, f"/webhooks/{hook['id']}{path}", json=body)
            assert answer.status_code == 404, f"{method} {path}: {answer.text}"
    made = await api.post("/api-keys", json={"name": "reader", "scopes": ["webhooks:read"]})
    assert made.status_code == 201, made.text
    async with stranger.client(made.json()["key"]) as reader:
        assert (await reader.get(f"/webhooks/{hook['id']}")).status_code == 200
        assert (await reader.post(f"/webhooks/{hook['id']}/rotate", json={})).status_code == 403
