"""`agentplane steps` and `usage`: what was recorded is found, counted and taken away."""

import json
from typing import Any
from uuid import UUID

from services.chassis.testing import TestPlatform
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.steps import StepKind
from tests.cli.conftest import Person
from tests.cli.test_agents import deploy
from tests.services.agent_observability.conftest import made_step


async def test_steps_are_found_counted_and_taken_away(person: Person, platform: TestPlatform) -> None:
    await deploy(person, "clerk")
    execution = (await person.types("run", "clerk", "--input", "hi", "--no-wait")).out.strip()
    agent_id = UUID((await person.types("executions", "show", execution, "-o", "json")).json["agent_id"])
    steps = [
        made_step(
            person.tenant.org_id,
            UUID(execution),
            seq,
            agent_id=agent_id,
            kind=StepKind.TOOL,
            name=name,
            status=status,
            response_bytes=b"the yellow invoice",
        )
        for seq, (name, status) in enumerate((("lookup", "failed"), ("refund", "succeeded")), 1)
    ]
    await platform.client(AgentObservabilityClient, "agent-gateway").append_steps(steps)
    arguments = ("--agent", "clerk", "--name", "refund", "--after", "name=lookup,status=failed")
    found = await person.types("steps", "search", "YELLOW", *arguments, "-o", "json")
    [match] = found.json
    assert match["step"]["seq"] == 2 and [each["seq"] for each in match["after"]] == [1]
    assert match["excerpt"] == "the yellow invoice"
    table = (await person.types("steps", "search", "--tool", "lookup")).out
    assert execution in table and "lookup" in table and "failed" in table
    assert (await person.types("steps", "search", "nowhere", "-o", "json")).json == []
    wrong = await person.types("steps", "search", "--after", "colour=red")
    assert wrong.code != 0 and "colour" in wrong.error
    shown = (await person.types("steps", "show", str(steps[0].id), "-o", "json")).json
    assert shown["response_text"] == "the yellow invoice"
    read = (await person.types("executions", "steps", execution, "1")).out.splitlines()
    assert (
        f"Step:      1 of {execution}" in read and read[read.index("Came back") + 1] == "  the yellow invoice"
    )
    lines = (await person.types("steps", "export", execution)).out.splitlines()
    assert [json.loads(line).get("seq") for line in lines] == [None, 1, 2]
    usage = await person.types("usage", "--by", "agent_id,kind", "--agent", "clerk")
    assert f"{agent_id}" in usage.out and "2 calls, 1 failed, 20+10 tokens" in usage.out
    assert "2 of the calls answered by the scripted model" in usage.out
    assert (await person.types("usage", "-o", "json")).json["total"]["calls"] == 2


CALL = {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": '{"at": "Oostende"}'}}
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "When is\nhigh tide?"}]
SAID = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "at 4"}


def _exchange(messages: list[Any], message: dict[str, Any]) -> dict[str, bytes]:
    answer = {"object": "chat.completion", "choices": [{"index": 0, "message": message}]}
    request = {"model": "gpt-x", "messages": messages}
    return {"request_bytes": json.dumps(request).encode(), "response_bytes": json.dumps(answer).encode()}


async def test_a_model_call_is_shown_as_a_conversation(person: Person, platform: TestPlatform) -> None:
    await deploy(person, "sailor")
    execution = (await person.types("run", "sailor", "--input", "hi", "--no-wait")).out.strip()
    agent_id = UUID((await person.types("executions", "show", execution, "-o", "json")).json["agent_id"])
    done = {"role": "assistant", "content": "At four."}
    exchanges = [_exchange(ASKED, SAID), _exchange([*ASKED, SAID, RESULT], done)]
    steps = [
        made_step(person.tenant.org_id, UUID(execution), seq, agent_id=agent_id, **exchange)
        for seq, exchange in enumerate(exchanges, 1)
    ]
    await platform.client(AgentObservabilityClient, "agent-gateway").append_steps(steps)
    first = (await person.types("executions", "steps", execution, "1")).out
    assert "  system    Be brief.\n  user      When is\n            high tide?\n" in first
    assert '\nCame back\n  assistant → tide {"at": "Oostende"}\n' in first
    assert '\nTools\n  tide {"at": "Oostende"}  (inside the agent)\n  → at 4\n' in first
    second = (await person.types("executions", "steps", execution, "2")).out
    assert "  tool      at 4\n" in second and second.endswith("Came back\n  assistant At four.\n")
