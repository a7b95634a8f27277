"""Deploying and changing agents from the command line."""

from pathlib import Path

from tests.cli.conftest import Person


async def deploy(person: Person, name: str, *more: str) -> str:
    done = await person.types("deploy-agent", "--name", name, "--no-wait", *more)
    assert done.code == 0, done.error
    return done.out


async def test_an_agent_is_deployed_changed_and_deleted(person: Person) -> None:
    said = await deploy(person, "desk", "--env", "AGENT_ROLE=support", "--memory", "256m", "--cpu", "0.5")
    assert "agentplane deploy-agent --name desk" in said
    assert "curl -X POST" in said
    table = (await person.types("agents", "list")).out.splitlines()
    assert table[0].split() == ["NAME", "STATE", "READY", "VERSION", "RUNS", "AGE", "ID"]
    assert table[1].split()[0] == "desk"
    shown = (await person.types("agents", "show", "desk", "-o", "json")).json
    assert shown["spec"]["memory_limit_bytes"] == 256 * 1024**2
    assert "AGENT_ROLE=support" in (await person.types("agents", "show", shown["id"])).out
    assert (await person.types("agents", "scale", "desk", "3", "-o", "json")).json["desired_replicas"] == 3
    assert (await person.types("agents", "stop", "desk", "-o", "json")).json["desired_state"] == "stopped"
    assert (await person.types("agents", "start", "desk")).code == 0
    assert len((await person.types("agents", "versions", "desk", "-o", "json")).json) == 1
    assert (await person.types("agents", "rollback", "desk", "99")).code == 3
    assert (await person.types("agents", "delete", "desk")).code == 2
    assert (await person.types("agents", "delete", "desk", "--yes")).code == 0
    assert (await person.types("agents", "show", "desk")).code == 3


async def test_refusals_have_their_codes(person: Person) -> None:
    await deploy(person, "taken")
    again = await person.types("deploy-agent", "--name", "taken", "--no-wait")
    assert again.code == 5
    assert "already_exists" in again.error
    wrong = await person.types("deploy-agent", "--name", "Not A Name", "--no-wait")
    assert wrong.code == 2
    missing = await person.types("run", "nobody", "--input", "hello")
    assert missing.code == 3
    assert "try: agentplane agents list" in missing.error


async def test_a_folder_is_packed_and_deployed_once(person: Person, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "agent.py").write_text("print('hello')\n")
    (folder / "requirements.txt").write_text("httpx==0.28.1\n")
    await deploy(person, "one", "--folder", str(folder))
    await deploy(person, "two", "--folder", str(folder))
    one, two = [(await person.types("agents", "show", name, "-o", "json")).json for name in ("one", "two")]
    assert one["spec"]["bundle"] == two["spec"]["bundle"]
    assert one["spec"]["command"] == ["python", "agent.py"]


async def test_a_secret_is_in_no_recipe(person: Person) -> None:
    person.environment["OPENAI_API_KEY"] = "sk-canary-51d2"
    said = await deploy(person, "keyed", "--env", "OPENAI_API_KEY", "--env", "PRICE=5$")
    assert "sk-canary" not in said
    assert '"OPENAI_API_KEY": "$OPENAI_API_KEY"' in said
    assert '"PRICE": "5\\$"' in said
    shown = (await person.types("agents", "show", "keyed")).out
    assert "sk-canary" not in shown
    assert "OPENAI_API_KEY" in shown


async def test_work_is_queued_listed_and_cancelled(person: Person) -> None:
    await deploy(person, "worker")
    queued = await person.types("run", "worker", "--input", '{"question": "why?"}', "--no-wait")
    assert queued.code == 0, queued.error
    execution = queued.out.strip()
    shown = (await person.types("executions", "show", execution, "-o", "json")).json
    assert shown["input"] == {"question": "why?"}
    listed = (await person.types("executions", "list", "--agent", "worker", "-o", "json")).json
    assert [each["id"] for each in listed] == [execution]
    assert (await person.types("executions", "cancel", execution)).code == 0
    assert (await person.types("executions", "steps", execution)).out == ""
    assert (await person.types("executions", "show", "0190d2f0-0000-7000-8000-000000000000")).code == 3
    assert (await person.types("executions", "show", "not-an-id")).code == 2


async def test_the_platform_shows_itself(person: Person) -> None:
    assert "control-brain" in (await person.types("services")).out
    brain = await person.types("brain")
    assert brain.code == 0, brain.error
    assert "Decisions" in brain.out
    assert (await person.types("brain", "-o", "json")).json["decisions"] is not None
