"""Memory as people use it: over the public API and with the command."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from services.memory_vector_engine.settings import MemorySettings
from services.secrets_manager.settings import SecretsSettings
from tests.backend.conftest import BESIDE, backend_settings, make_tenant
from tests.cli.conftest import Person
from tests.platform import MASTER_KEY, make_agent, platform_of


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    nothing = {"embedding_api_url": None, "embedding_api_key": None, "openai_api_key": None}
    overrides = [
        SecretsSettings(master_key=SecretStr(MASTER_KEY)),
        backend_settings(),
        MemorySettings.model_validate(nothing),
    ]
    names = ["backend", *BESIDE, "memory-vector-engine"]
    async with platform_of(names, stores.environment(), listen=True, overrides=overrides) as platform:
        yield platform


async def test_a_memory_lives_at_the_api(platform: TestPlatform) -> None:
    tenant = await make_tenant(platform)
    agent = str(await make_agent(platform.db, tenant.org_id))
    async with tenant.client() as client:
        made = await client.post("/memory", json={"content": "Lena likes tea", "agent_id": agent})
        assert made.status_code == 201
        memory_id = made.json()["memory"]["id"]
        assert made.json()["memory"]["created_by"].startswith("key:")
        assert made.headers["location"] == f"/api/v1/memory/{memory_id}"
        found = (await client.get("/memory/search", params={"q": "who likes tea?", "agent_id": agent})).json()
        assert [each["memory"]["id"] for each in found["items"]] == [memory_id]
        assert (found["degraded"], found["reason"]) == (True, "no_embedding_provider")
        changed = await client.patch(f"/memory/{memory_id}", json={"content": "Lena likes coffee"})
        assert changed.json()["version"] == 2
        versions = (await client.get(f"/memory/{memory_id}/versions")).json()
        assert [each["content"] for each in versions] == ["Lena likes coffee", "Lena likes tea"]
        before = {"as_of": versions[1]["updated_at"]}
        assert (await client.get("/memory", params=before)).json()["items"][0]["content"] == "Lena likes tea"
        assert (await client.get("/memory/status")).json()["memories"] == 1
        assert (await client.delete(f"/memory/{memory_id}")).status_code == 204
        assert (await client.get(f"/memory/{memory_id}")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": ""},
        {"content": "   "},
        {"content": "x" * 32_001},
        {"content": "nul \u0000"},
        {"content": "x"},
        {"content": "x", "scope": "thread"},
        {"content": "x", "scope": "user"},
        {"content": "x", "scope": "organisation", "type": "imaginary"},
        {"content": "x", "scope": "organisation", "importance": 2},
        {"content": "x", "scope": "organisation", "ttl_seconds": 0},
        {"content": "x", "scope": "organisation", "ttl_seconds": 1, "keep": True},
        {"content": "x", "scope": "organisation", "metadata": {"n": "y" * 20_000}},
        {"content": "x", "scope": "organisation", "metadata": {"nul": "\u0000"}},
        {"content": "x", "scope": "organisation", "unknown": 1},
        {"content": "x", "scope": "organisation", "tags": ["t"] * 33},
    ],
)
async def test_a_bad_write_is_explained(platform: TestPlatform, body: dict[str, object]) -> None:
    tenant = await make_tenant(platform)
    async with tenant.client() as client:
        answer = await client.post("/memory", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": " "},
        {"q": "x", "limit": "101"},
        {"q": "x", "mode": "psychic"},
        {"q": "x", "metadata": "[1]"},
        {"q": "x", "as_of": "yesterday"},
        {"q": "x", "as_of": "2026-01-01T00:00:00"},
        {"q": "x", "as_of": "2999-01-01T00:00:00Z"},
        {"q": "x", "as_of_seq": "1"},
        {"q": "x", "thread_id": "t"},
        {"q": "x", "scope": "thread"},
    ],
)
async def test_a_bad_search_is_explained(platform: TestPlatform, query: dict[str, str]) -> None:
    tenant = await make_tenant(platform)
    async with tenant.client() as client:
        answer = await client.get("/memory/search", params=query)
    assert answer.status_code == 422, answer.text


async def test_who_may_only_read_cannot_write(platform: TestPlatform) -> None:
    viewer = await make_tenant(platform, role="viewer")
    token = {"email": viewer.email, "password": "correct horse battery staple"}
    async with viewer.client("none") as client:
        login = (await client.post("/auth/login", json=token)).json()
        bearer = {"Authorization": f"Bearer {login['access_token']}"}
        assert (await client.get("/memory", headers=bearer)).status_code == 200
        body = {"content": "x", "scope": "organisation"}
        assert (await client.post("/memory", json=body, headers=bearer)).status_code == 403


async def test_the_command_adds_searches_lists_and_removes(platform: TestPlatform, tmp_path: Path) -> None:
    person = Person(tmp_path, platform.url("backend"), await make_tenant(platform))
    await make_agent(platform.db, person.tenant.org_id, name="helper")
    await person.logs_in()
    added = await person.types("memory", "add", "the office closes at six", "--agent", "helper", "-o", "json")
    memory_id = added.json["memory"]["id"]
    assert (
        "known already"
        in (await person.types("memory", "add", "the office closes at six", "--agent", "helper")).out
    )
    found = await person.types("memory", "search", "when does the office close?", "--agent", "helper")
    assert memory_id in found.out
    assert "by words only" in found.error
    misnamed = await person.types("memory", "search", "office", "--as-of-step", "the first")
    assert (misnamed.code, "EXECUTION:STEP" in misnamed.error) == (2, True)
    unknown = await person.types("memory", "list", "--as-of-step", f"{memory_id}:1")
    assert "has no step 1" in unknown.error
    listed = await person.types("memory", "list", "-o", "json")
    assert [each["id"] for each in listed.json] == [memory_id]
    # A line separator is no end of a line of the export.
    await person.types("memory", "add", "six\u2028and not seven", "--agent", "helper")
    exported = await person.types("memory", "export")
    newest = exported.out.split("\n", 1)[0]
    assert json.loads(newest)["content"] == "six\u2028and not seven"
    (tmp_path / "kept.jsonl").write_text(exported.out)
    assert (await person.types("memory", "import", "kept.jsonl")).out.strip() == (
        "0 stored, 2 duplicates, 0 expired"
    )
    broken = await person.types("memory", "import", "-", given=f"{newest}\nno JSON")
    assert (broken.code, "line 2 is not JSON" in broken.error) == (2, True)
    assert (await person.types("memory", "rm", memory_id)).code == 0
    assert (await person.types("memory", "show", memory_id)).code != 0
