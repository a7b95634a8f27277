"""Steps and usage over the API: found, opened, counted and taken away, by whoever may."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agent_gateway import AgentGatewayClient
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.executions import CreateExecution, Execution, NewExecution
from services.contracts.steps import NewStep, StepKind
from tests.backend.conftest import Tenant
from tests.platform import make_agent
from tests.services.agent_observability.conftest import made_step


@pytest.fixture
async def api(tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with tenant.client() as client:
        yield client


async def execution_of(platform: TestPlatform, tenant: Tenant) -> Execution:
    gateway = platform.client(AgentGatewayClient)
    return await gateway.create(
        tenant.org_id,
        CreateExecution(
            agent_id=await make_agent(platform.db, tenant.org_id),
            agent_name="a",
            agent_version=1,
            mode="service",
            request=NewExecution(input={}),
            timeout_seconds=60,
            max_attempts=1,
            created_by="user:test",
        ),
    )


async def recorded(
    platform: TestPlatform, tenant: Tenant, execution: Execution, **more: Any
) -> list[NewStep]:
    steps = [
        made_step(
            tenant.org_id,
            execution.id,
            seq,
            agent_id=execution.agent_id,
            kind=StepKind.TOOL,
            name=name,
            status=status,
            **more,
        )
        for seq, (name, status) in enumerate((("lookup", "failed"), ("refund", "succeeded")), 1)
    ]
    await platform.client(AgentObservabilityClient, "agent-gateway").append_steps(steps)
    return steps


async def test_a_pattern_is_searched_by_its_query_string(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    execution = await execution_of(platform, tenant)
    lookup, refund = await recorded(platform, tenant, execution)
    answer = await api.get("/steps", params={"name": "refund", "after": "name=lookup,status=failed"})
    assert answer.status_code == 200, answer.text
    [match] = answer.json()["items"]
    assert (match["step"]["id"], match["after"][0]["id"]) == (str(refund.id), str(lookup.id))
    none = await api.get("/steps", params={"name": "refund", "after": "name=lookup,status=succeeded"})
    assert none.json() == {"items": [], "next_cursor": None}
    opened = await api.get(f"/steps/{lookup.id}")
    assert opened.json()["request_text"] == lookup.request_bytes.decode()


@pytest.mark.parametrize(
    "query",
    [
        "after=nmae%3Dx",
        "after=x",
        "limit=0",
        "since=yesterday",
        "cursor=7",
        "text=%00",
        "min_tokens=-1",
    ],
)
async def test_nonsense_is_refused(api: httpx.AsyncClient, query: str) -> None:
    assert (await api.get(f"/steps?{query}")).status_code == 422


async def test_usage_is_counted_by_what_was_asked(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    execution = await execution_of(platform, tenant)
    await recorded(platform, tenant, execution, cost_nano=5)
    usage = (
        await api.get("/usage", params={"by": "agent_id,kind", "agent_id": str(execution.agent_id)})
    ).json()
    assert usage["total"]["calls"] == 2 and usage["total"]["failed"] == 1
    [row] = usage["rows"]
    assert (row["agent_id"], row["kind"], row["cost_nano"]) == (str(execution.agent_id), "tool", 10)
    assert (await api.get("/usage", params={"by": "colour"})).status_code == 422
    assert (await api.get("/usage", params={"since": "2026-11-22", "until": "2026-11-01"})).status_code == 422


async def test_an_execution_is_exported_and_its_lineage_shown(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    execution = await execution_of(platform, tenant)
    await recorded(platform, tenant, execution)
    exported = await api.get(f"/executions/{execution.id}/export")
    assert [orjson.loads(line).get("seq") for line in exported.content.splitlines()] == [None, 1, 2]
    spans = await api.get(f"/executions/{execution.id}/export", params={"format": "otlp"})
    assert len(spans.json()["resourceSpans"][0]["scopeSpans"][0]["spans"]) == 2
    lineage = await api.get(f"/executions/{execution.id}/lineage")
    assert lineage.json() == {"execution_id": str(execution.id), "served_by": [], "serves": []}
    assert (await api.get(f"/executions/{new_id()}/export")).status_code == 404


async def test_a_confined_key_names_its_agent(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    mine, other = [await execution_of(platform, tenant) for _ in range(2)]
    made = await api.post(
        "/api-keys",
        json={
            "name": "confined",
            "scopes": ["executions:read", "budgets:read", f"agents:{mine.agent_id}"],
        },
    )
    assert made.status_code == 201, made.text
    async with tenant.client(made.json()["key"]) as confined:
        for path in ("/steps", "/usage"):
            assert (await confined.get(path)).status_code == 403
            assert (await confined.get(path, params={"agent_id": str(other.agent_id)})).status_code == 403
            assert (await confined.get(path, params={"agent_id": str(mine.agent_id)})).status_code == 200
        assert (await confined.get(f"/executions/{mine.id}/export")).status_code == 200
        assert (await confined.get(f"/executions/{other.id}/export")).status_code == 404
