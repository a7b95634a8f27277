"""Time travel through the public API: who may, and what bad input gets."""

from typing import Any

import httpx

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.executions import Fidelity
from tests.backend.conftest import make_tenant
from tests.backend.test_agents import deployed


async def queued(api: httpx.AsyncClient) -> dict[str, Any]:
    agent = await deployed(api)
    response = await api.post(f"/agents/{agent['id']}/executions", json={"input": {"q": 1}})
    assert response.status_code == 201, response.text
    execution: dict[str, Any] = response.json()
    return execution


async def test_a_fork_is_made_once_for_its_key_and_hangs_in_the_tree(api: httpx.AsyncClient) -> None:
    source = await queued(api)
    path = f"/time-travel/executions/{source['id']}"
    key = {"Idempotency-Key": str(new_id())}
    answers = [await api.post(f"{path}/fork", json={"at_step": 1, "branches": 2}, headers=key) for _ in "ab"]
    assert [each.status_code for each in answers] == [201, 201], answers[0].text
    made = answers[0].json()
    assert answers[1].json() == made and len(made) == 2
    assert answers[0].headers["location"] == f"/api/v1/executions/{made[0]['id']}"
    assert {each["relation"] for each in made} == {"fork"}
    assert {each["agent_version"] for each in made} == {source["agent_version"]}
    for execution in (source, *made):
        tree = (await api.get(f"/time-travel/executions/{execution['id']}/tree")).json()
        assert tree["execution"]["id"] == source["id"]
        assert [each["execution"]["id"] for each in tree["children"]] == [each["id"] for each in made]
    diff = (await api.get(f"{path}/diff/{made[0]['id']}")).json()
    assert diff["aligned"] == [] and diff["left"]["execution_id"] == source["id"]
    timeline = (await api.get(path)).json()
    assert timeline["execution"]["id"] == source["id"] and timeline["steps"] == []
    assert (await api.get(f"{path}/steps/1")).status_code == 404


async def test_what_cannot_be_done_says_why(api: httpx.AsyncClient) -> None:
    source = await queued(api)
    path = f"/time-travel/executions/{source['id']}"
    running = await api.post(f"{path}/replay", json={})
    assert (running.status_code, running.json()["code"]) == (409, "illegal_state")
    late = await api.post(f"{path}/fork", json={"at_step": 2})
    assert late.status_code == 422 and "at_step must be at most 1" in late.json()["detail"]
    edits = [{"step": 1, "path": "/model", "value": "x"}]
    nowhere = await api.post(f"{path}/fork", json={"at_step": 1, "edits": edits})
    assert nowhere.status_code == 422 and "has 0 steps" in nowhere.json()["detail"]
    nobody = await api.post(f"{path}/divergence", json={"on_divergence": "live"})
    assert nobody.status_code == 409
    assert (await api.post(f"{path}/calibrate")).status_code == 409
    assert (await api.get(f"{path}/diff/{new_id()}")).status_code == 404


async def test_irreversible_effects_need_their_own_permission(
    api: httpx.AsyncClient, platform: TestPlatform
) -> None:
    developer = await make_tenant(platform, role="developer")
    async with developer.client() as client:
        source = await queued(client)
        path = f"/time-travel/executions/{source['id']}/fork"
        refused = await client.post(path, json={"at_step": 1, "allow_effects": "live"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "effects:live" in refused.json()["detail"]
        assert (await client.post(path, json={"at_step": 1})).status_code == 201
        # What belongs to another organisation does not exist.
        assert (await api.post(path, json={"at_step": 1})).status_code == 404
        made = await client.post("/api-keys", json={"name": "eye", "scopes": ["executions:read"]})
    async with developer.client(made.json()["key"]) as client:
        assert (await client.post(path, json={"at_step": 1})).status_code == 403


async def test_masks_are_the_agents_own(api: httpx.AsyncClient) -> None:
    agent = await deployed(api)
    path = f"/time-travel/agents/{agent['id']}/masks"
    assert (await api.get(path)).json() == []
    assert (await api.patch(f"{path}/{new_id()}", json={"approve": True})).status_code == 404
    assert (await api.get(f"/time-travel/agents/{new_id()}/masks")).status_code == 404


def test_fidelity_says_what_was_not_recorded() -> None:
    assert Fidelity.of(0, 0, 0) == "egress"
    assert Fidelity.of(2, 2, 0) == "egress"
    assert Fidelity.of(1, 1, 1) == "tools"
    assert Fidelity.of(2, 1, 0) == Fidelity.of(2, 1, 3) == "models"
