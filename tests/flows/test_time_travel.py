"""
Time travel on a whole platform: an unmodified agent is run, replayed and forked, each time in a new process.

Model calls are counted by the steps that say `live`; the scripted model would answer the same again, so that
what is served is told by `served_from` and what it cost, and byte for byte by the tests of the gateway.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.flows.ledger import describe
from tests.flows.live import LivePlatform, Stranger, until

pytestmark = pytest.mark.xdist_group("live")

TRAVEL = "/api/v1/time-travel/executions"


@pytest.fixture(scope="module")
def agent(stranger: Stranger) -> Any:
    return stranger.deploy("travel-desk", env_vars={"AGENT_ROLE": "support"})


@pytest.fixture(scope="module")
def source(stranger: Stranger, agent: Any) -> Any:
    execution = stranger.run(agent["id"], "Order 1042 arrived broken. I want my money back.")
    assert execution["status"] == "succeeded", describe(execution)
    assert execution["steps"] >= 3
    return execution


def again(stranger: Stranger, source: Any, how: str = "fork", **body: Any) -> list[Any]:
    made = stranger.post(f"{TRAVEL}/{source['id']}/{how}", body)
    return [stranger.finished(each["id"], 120) for each in made]


def served(stranger: Stranger, execution: Any) -> list[str]:
    return [each["served_from"] for each in stranger.get(f"{TRAVEL}/{execution['id']}")["steps"]]


def test_a_replay_runs_in_a_process_of_its_own_and_asks_no_model(
    stranger: Stranger, agent: Any, source: Any
) -> None:
    (replay,) = again(stranger, source, "replay")
    assert replay["status"] == "succeeded", describe(replay)
    assert replay["output"] == source["output"]
    assert served(stranger, replay) == ["journal"] * source["steps"]
    assert (replay["tokens_in"], replay["tokens_out"], replay["cost_nano"]) == (0, 0, 0)
    assert replay["instance_id"] != source["instance_id"]
    instances = stranger.get(f"/api/v1/agents/{agent['id']}/instances")
    (own,) = [each for each in instances if each["id"] == replay["instance_id"]]
    assert (own["owner_kind"], own["execution_id"]) == ("execution", replay["id"])

    def stopped() -> bool | None:
        found = stranger.get(f"/api/v1/agents/{agent['id']}/instances")
        return True if any(e["id"] == own["id"] and e["state"] == "exited" for e in found) else None

    until(stopped, 60, lambda: "the process of the replay goes on")


def test_branches_are_made_at_once_compared_and_shown_as_a_tree(stranger: Stranger, source: Any) -> None:
    last = source["steps"]
    forks = again(stranger, source, at_step=last, branches=2)
    for fork in forks:
        assert fork["status"] == "succeeded", describe(fork)
        assert served(stranger, fork) == ["journal"] * (last - 1) + ["live"]
    diff = stranger.get(f"{TRAVEL}/{source['id']}/diff/{forks[0]['id']}")
    assert diff["common_prefix"] >= last - 1
    assert diff["right"]["tokens_in"] < diff["left"]["tokens_in"]
    tree = stranger.get(f"{TRAVEL}/{forks[1]['id']}/tree")
    assert tree["execution"]["id"] == source["id"]
    assert {each["id"] for each in forks} <= {each["execution"]["id"] for each in tree["children"]}
    assert stranger.get(f"/api/v1/executions/{source['id']}") == source


def test_an_edit_makes_a_different_end(stranger: Stranger, source: Any) -> None:
    last = source["steps"]
    edit = {"step": last, "target": "response", "path": "/choices/0/message/content", "value": "Edited."}
    (fork,) = again(stranger, source, edits=[edit])
    assert fork["status"] == "succeeded", describe(fork)
    assert served(stranger, fork)[-1] == "edit"
    assert "Edited." in str(fork["output"])


def test_a_job_is_forked_too(stranger: Stranger) -> None:
    job = stranger.deploy("travel-job", mode="job", env_vars={"AGENT_ROLE": "support"})
    execution = stranger.run(job["id"], "Where is order 1042?", 90)
    assert execution["status"] == "succeeded", describe(execution)
    (replay,) = again(stranger, execution, "replay")
    assert replay["status"] == "succeeded", describe(replay)
    assert replay["output"] == execution["output"]
    assert set(served(stranger, replay)) == {"journal"}


def test_the_recorded_version_runs_though_the_agent_has_another(stranger: Stranger, source: Any) -> None:
    agent = stranger.http.get(f"/api/v1/agents/{source['agent_id']}")
    changed = stranger.http.patch(
        f"/api/v1/agents/{source['agent_id']}",
        json={"env_vars": {"AGENT_ROLE": "research"}},
        headers={"If-Match": agent.headers["ETag"]},
    )
    assert changed.status_code == 200, changed.text
    (replay,) = again(stranger, source, "replay")
    assert replay["status"] == "succeeded", describe(replay)
    assert replay["agent_version"] == source["agent_version"] < changed.json()["version"]
    assert replay["output"] == source["output"]


def test_by_command(live: LivePlatform, source: Any, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(live.password)
    login = live.command("login", "--email", "admin@example.com", "--password-file", str(password))
    assert login.returncode == 0, login.stderr
    replay = live.command("replay", source["id"])
    assert replay.returncode == 0 and "succeeded" in replay.stdout, replay.stdout + replay.stderr
    run = live.command("run", source["agent_name"], "--input", "Where is order 1042?", "--follow")
    assert run.returncode == 0 and "status   running" in run.stderr, run.stderr
    assert "step     1 llm" in run.stderr, run.stderr
    tree = live.command("tree", source["id"])
    assert "replay" in tree.stdout and source["id"] in tree.stdout
