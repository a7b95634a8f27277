"""
Unmodified agents: each is what its library's documentation shows, with only the injected environment.

They run as processes behind the platform's isolation and as containers, against a provider outside. Each of
their calls is a step of the right execution, with the bytes that went and came; a replay in a new process is
answered from the journal.
"""

import base64
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.agent_gateway.dialects.rewriting import upstream_request, upstream_response
from services.chassis.ids import new_id
from tests.flows.conftest import Provided
from tests.flows.drivers import deployed
from tests.flows.ledger import AGENTS, describe, exported
from tests.services.executor.containers import needs_engine
from tests.soak import SOAK

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("provided")]

TRAVEL = "/api/v1/time-travel/executions"
EARLY = (
    "import openai, runpy; ask = [{'role': 'user', 'content': 'anybody there?'}]; "
    "openai.OpenAI().chat.completions.create(model='gpt-4o-mini', messages=ask); runpy.run_path('agent.py')"
)
# Building five images and starting them takes minutes; the two that differ most stand for all in the suite.
SELDOM = pytest.mark.skipif(not SOAK, reason="this agent runs as a container in `make soak`")
BOTH = pytest.mark.parametrize("driver", ["process", pytest.param("docker", marks=needs_engine)])
BOTH_IN_SOAK = pytest.mark.parametrize(
    "driver", ["process", pytest.param("docker", marks=[needs_engine, SELDOM])]
)


class Stock:
    """One stock agent, deployed."""

    def __init__(self, provided: Provided, driver: str, folder: str, *command: str, **spec: Any) -> None:
        self.provided, self.stranger = provided, provided.stranger
        self.agent = deployed(self.stranger, driver, AGENTS / folder, *command, **spec)

    def ran(self, question: str) -> tuple[Any, list[Any]]:
        """An execution that succeeded, and its steps: what the provider was asked, byte for byte."""
        question = f"{question} (asked as {new_id().hex})"
        execution = self.stranger.run(self.agent["id"], question, seconds=300)
        assert execution["status"] == "succeeded", describe(execution)
        steps = exported(self.stranger, execution)
        calls = [each for each in steps if each["kind"] == "llm"]
        exchanges = self.provided.provider.saying(question)
        assert len(calls) == len(exchanges), describe(steps)
        for step, exchange in zip(calls, exchanges, strict=True):
            patch, removed = step["request_patch"], (step["request_patch"] or {}).get("removed", ())
            assert upstream_request(_bytes(step["request"]), patch) == exchange.received
            assert upstream_response(_bytes(step["response"]), patch) == exchange.whole
            left_out = [each["event"].encode() for each in removed]
            sizes = [len(piece) for piece in exchange.sent if piece not in left_out]
            assert step["response_chunks"] == (sizes if step["streamed"] else [])
        return execution, steps

    def replayed(self, execution: Any) -> None:
        """Run it again in a new process: the same end, and nothing asked of the provider."""
        asked = len(self.provided.provider.exchanges)
        (made,) = self.stranger.post(f"{TRAVEL}/{execution['id']}/replay", {})
        replay = self.stranger.finished(made["id"], 240)
        assert (replay["status"], replay["diverged_at"]) == ("succeeded", None), describe(replay)
        assert (replay["output"], replay["cost_nano"]) == (execution["output"], 0)
        assert {each["served_from"] for each in exported(self.stranger, replay)} == {"journal"}
        assert len(self.provided.provider.exchanges) == asked

    def refused(self, question: str) -> None:
        """Run it without any budget left: its first call is refused, and its SDK does not ask again."""
        budget = f"/api/v1/budgets/agents/{self.agent['id']}"
        assert self.stranger.http.put(budget, json={"cost_nano": 0}).status_code == 200
        execution = self.stranger.run(self.agent["id"], question, seconds=120)
        assert (execution["status"], execution["cause"]) == ("failed", "budget_exceeded"), describe(execution)
        (step,) = exported(self.stranger, execution)
        assert (step["cause"], step["http_status"]) == ("budget_exceeded", 403)
        assert not self.provided.provider.saying(question)

    def remove(self) -> None:
        """Delete the agent."""
        self.stranger.http.delete(f"/api/v1/agents/{self.agent['id']}")


@pytest.fixture
def stock(provided: Provided, driver: str) -> Iterator[Any]:
    """Deploys a stock agent; `stock(folder, command…)`."""
    made: list[Stock] = []

    def make(folder: str, *command: str, **spec: Any) -> Stock:
        made.append(Stock(provided, driver, folder, *command, **spec))
        return made[-1]

    yield make
    for each in made:
        each.remove()


@BOTH
def test_an_openai_script_with_tools(stock: Any) -> None:
    agent = stock("openai_tools", "python3", "agent.py")
    execution, steps = agent.ran("When can I swim in Oostende?")
    # The scripted model calls each tool once, one a turn, then answers; the last question is streamed.
    assert [each["tool_calls"] for each in steps] == [["weather"], ["tide"], [], []]
    assert [each["streamed"] for each in steps] == [False, False, False, True]
    agent.replayed(execution)

    # Eight at once on four instances: each step is on the right execution.
    agent.stranger.post(f"/api/v1/agents/{agent.agent['id']}/scale", {"replicas": 4})
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda number: agent.ran(f"question number {number}"), range(8)))
    for number, (each, own) in enumerate(done):
        assert all(f"question number {number} " in step["request"]["text"] for step in own)
        assert each["steps"] == 4


@BOTH
def test_a_call_of_no_execution_is_stored_and_flagged(stock: Any) -> None:
    agent = stock("openai_tools", "python3", "-c", EARLY, name=f"early-{new_id().hex[-8:]}")
    query = {"unattributed": "true", "agent_id": agent.agent["id"]}
    (found,) = agent.stranger.get("/api/v1/steps", **query)["items"]
    step = found["step"]
    assert (step["execution_id"], step["status"], step["kind"]) == (None, "succeeded", "llm")
    assert "anybody there?" in agent.stranger.get(f"/api/v1/steps/{step['id']}")["request_text"]
    execution, steps = agent.ran("And now?")
    assert execution["steps"] == len(steps) == 4
    assert len(agent.stranger.get("/api/v1/steps", **query)["items"]) == 1


@BOTH
@pytest.mark.skipif(shutil.which("node") is None, reason="this machine has no Node.js")
def test_a_node_agent(stock: Any) -> None:
    agent = stock("node_openai", "node", "agent.mjs")
    execution, steps = agent.ran("When is high tide?")
    assert [each["tool_calls"] for each in steps] == [["tide"], []]
    agent.replayed(execution)
    agent.refused(f"When is low tide? {new_id().hex}")


@BOTH_IN_SOAK
def test_an_anthropic_script(stock: Any) -> None:
    agent = stock("anthropic_job", "python3", "agent.py", mode="job")
    execution, steps = agent.ran("Say hello")
    assert execution["output"]["whole"] == execution["output"]["streamed"]
    expected = [("/v1/messages", False), ("/v1/messages", True)]
    assert [(each["name"], each["streamed"]) for each in steps] == expected
    agent.replayed(execution)


@BOTH_IN_SOAK
def test_a_langgraph_agent(stock: Any) -> None:
    agent = stock("langgraph_agent", "python3", "agent.py", mode="job", memory_limit="1g")
    execution, steps = agent.ran("When can I swim in Oostende?")
    assert [each["tool_calls"] for each in steps] == [["weather"], ["tide"], []]
    agent.replayed(execution)


@BOTH_IN_SOAK
def test_an_mcp_client_remembers_over_two_executions(stock: Any) -> None:
    agent = stock("mcp_memory", "python3", "agent.py", mode="job")
    first, steps = agent.ran("The red bicycle is in the cellar.")
    assert "red bicycle" in first["output"]["found"]
    second, _ = agent.ran("Where is the red bicycle?")
    assert "in the cellar" in second["output"]["found"]
    assert {each["kind"] for each in steps} == {"memory"}
    found = agent.stranger.get("/api/v1/memory/search", q="bicycle", agent_id=agent.agent["id"])
    assert any("cellar" in each["memory"]["content"] for each in found["items"])


def _bytes(body: dict[str, str]) -> bytes:
    return base64.b64decode(body["base64"]) if "base64" in body else body["text"].encode()
