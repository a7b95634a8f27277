"""Executions through the public API: queued, followed, cancelled; what runs them is tested in tests/flows."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from services.chassis.ids import new_id
from tests.backend.test_agents import deployed


@pytest.fixture
async def agent(api: httpx.AsyncClient) -> dict[str, Any]:
    return await deployed(api)


async def queued(api: httpx.AsyncClient, agent: dict[str, Any], **more: Any) -> dict[str, Any]:
    response = await api.post(f"/agents/{agent['id']}/executions", json={"input": {"q": 1}, **more})
    assert response.status_code == 201, response.text
    execution: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/api/v1/executions/{execution['id']}"
    return execution


async def events_of(
    api: httpx.AsyncClient, execution_id: str, headers: dict[str, str]
) -> list[dict[str, Any]]:
    async with api.stream("GET", f"/executions/{execution_id}/events", headers=headers) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-cache, no-transform"
        return [orjson.loads(line[6:]) async for line in stream.aiter_lines() if line.startswith("data: ")]


async def test_an_execution_is_queued_and_shown(api: httpx.AsyncClient, agent: dict[str, Any]) -> None:
    execution = await queued(api, agent, timeout_seconds=60)
    assert (execution["status"], execution["input"]) == ("queued", {"q": 1})
    assert execution["created_by"].startswith("key:")
    assert (await api.get(f"/executions/{execution['id']}")).json()["id"] == execution["id"]
    for path in (f"/agents/{agent['id']}/executions", "/executions"):
        listed = (await api.get(path)).json()["items"]
        assert execution["id"] in [each["id"] for each in listed]
    waited = await api.get(f"/executions/{execution['id']}/wait", params={"timeout_seconds": 0.2})
    assert waited.json()["status"] == "queued"
    steps = await api.get(f"/executions/{execution['id']}/steps")
    assert steps.json() == {"items": [], "next_cursor": None}
    assert (await api.get(f"/executions/{execution['id']}/steps/1")).status_code == 404


async def test_a_stream_of_events_ends_with_the_execution_and_resumes(
    api: httpx.AsyncClient, agent: dict[str, Any]
) -> None:
    execution = await queued(api, agent)
    following = asyncio.create_task(events_of(api, execution["id"], {}))
    await asyncio.sleep(0.3)
    cancelled = await api.post(f"/executions/{execution['id']}/cancel")
    assert cancelled.status_code == 200, cancelled.text
    seen = await asyncio.wait_for(following, 10)
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1]["status"] == "cancelled"
    rest = await events_of(api, execution["id"], {"Last-Event-ID": "1"})
    assert rest == seen[1:]
    waited = await api.get(f"/executions/{execution['id']}/wait")
    assert (waited.json()["status"], waited.json()["cause"]) == ("cancelled", "cancelled_by_user")


async def test_the_same_idempotency_key_runs_once(api: httpx.AsyncClient, agent: dict[str, Any]) -> None:
    key, path = {"Idempotency-Key": str(new_id())}, f"/agents/{agent['id']}/executions"
    answers = await asyncio.gather(*(api.post(path, json={"input": 1}, headers=key) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await api.post(path, json={"input": 2}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")


async def test_the_stream_of_a_revoked_key_ends(api: httpx.AsyncClient, agent: dict[str, Any]) -> None:
    execution = await queued(api, agent)
    made = (await api.post("/api-keys", json={"name": "eye", "scopes": ["executions:read"]})).json()
    bearer = {"Authorization": f"Bearer {made['key']}"}
    following = asyncio.create_task(events_of(api, execution["id"], bearer))
    await asyncio.sleep(0.3)
    await api.delete(f"/api-keys/{made['id']}")
    seen = await asyncio.wait_for(following, 10)
    assert seen[-1]["status"] == "queued"
    await api.post(f"/executions/{execution['id']}/cancel")


async def test_who_waits_is_answered_when_the_time_is_over(
    api: httpx.AsyncClient, agent: dict[str, Any]
) -> None:
    path = f"/agents/{agent['id']}/executions"
    answer = await api.post(path, json={"input": 1}, params={"wait_seconds": 0.3})
    assert (answer.status_code, answer.json()["status"]) == (201, "queued")
    refused = await api.post(path, json={"input": 1}, params={"wait_seconds": 61})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")
