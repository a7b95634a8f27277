"""The demo agent as a server keeps the agent contract."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.agent_runtime.conftest import ModelServer, RunningAgent
from tests.waiting import until_now

Start = Callable[..., RunningAgent]


def slow(milliseconds: int) -> str:
    return json.dumps({"scripted": [{"say": "done", "delay_ms": milliseconds}]})


def test_a_refund_is_handled_to_its_end(start_agent: Start, model: ModelServer) -> None:
    agent = start_agent(AGENT_ROLE="support")
    model.requests.clear()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-AgentPlane-Execution-Id": "e-1", "traceparent": trace}
    answer = agent.invoke("Order 1042 arrived broken. I want my money back.", **headers)
    assert answer.status_code == 200
    output = answer.json()["output"]
    assert output["order_id"] == "A-1042"
    assert output["refund"]["refund_cents"] == 8900 + 490
    assert "93.90 EUR" in output["reply"]
    assert output["turns"] == 5
    assert [each["tool"] for each in output["tools_called"]] == [
        "find_order",
        "read_refund_policy",
        "compute_refund",
        "draft_reply",
    ]
    assert len(model.requests) == 5
    for sent, _ in model.requests:
        assert sent["X-AgentPlane-Execution-Id"] == "e-1"
        assert sent["traceparent"] == trace
        assert sent["Authorization"] == "Bearer virtual"


def test_research_cites_what_it_read(start_agent: Start) -> None:
    agent = start_agent(AGENT_ROLE="research")
    output = agent.invoke("How high are the tides in the Bay of Fundy?").json()["output"]
    assert "tides" in output["citation"]
    assert any("16 metres" in figure for figure in output["figures"])


def test_without_an_input_the_desk_takes_the_oldest_ticket(start_agent: Start) -> None:
    agent = start_agent()
    assert agent.http.post("/invocations", json={}).json()["output"]["order_id"] == "A-1042"


def test_events_tell_the_work_while_it_is_done(start_agent: Start) -> None:
    agent = start_agent()
    events: list[tuple[str, Any]] = []
    headers = {"Accept": "text/event-stream"}
    with agent.http.stream("POST", "/invoke", json={"input": "Order A-1043?"}, headers=headers) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event:"):
                name = line.removeprefix("event: ")
            elif line.startswith("data:"):
                events.append((name, json.loads(line.removeprefix("data: "))))
    names = [name for name, _ in events]
    assert names[0] == "state" and names[-2:] == ["message", "done"]
    assert names.count("tool") == 4
    spoken = "".join(data["text"] for name, data in events if name == "token")
    assert spoken == events[-1][1]["output"]["answer"]


def test_bad_requests_are_answered_and_the_connection_goes_on(start_agent: Start) -> None:
    agent = start_agent(AGENT_ROLE="assistant")
    post = agent.http.post
    assert post("/invoke", content=b"{not json").status_code == 422
    assert post("/invoke", json=[1]).status_code == 422
    assert post("/invoke", json={}).json()["error"]["code"] == "invalid_input"
    assert post("/nowhere", json={}).status_code == 404
    assert agent.http.get("/invoke").status_code == 405
    assert agent.invoke("hello", **{"X-AgentPlane-Deadline": "soon"}).status_code == 422
    assert post("/invoke", content=iter([b'{"input":', b' "in chunks"}'])).status_code == 200
    assert agent.invoke("hello").json()["output"]["answer"]


def test_a_model_that_fails_is_named_to_the_caller(start_agent: Start) -> None:
    away = start_agent(OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    answer = away.invoke("Order A-1042?")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "llm_unavailable")
    garbled = start_agent(AGENT_MODEL="scripted/garbage").invoke("Order A-1042?")
    assert (garbled.status_code, garbled.json()["error"]["code"]) == (502, "llm_unavailable")
    cut = start_agent(AGENT_MODEL="scripted/cut")
    streamed = cut.http.post("/invoke", json={"input": "x"}, headers={"Accept": "text/event-stream"})
    assert "event: error" in streamed.text and "llm_unavailable" in streamed.text


def test_a_model_in_passing_trouble_is_asked_again(start_agent: Start) -> None:
    agent = start_agent(AGENT_ROLE="assistant")
    script = {"scripted": [{"fail": "429", "times": 2, "retry_after": 0.1, "say": "at last"}]}
    assert agent.invoke(json.dumps(script)).json()["output"]["answer"] == "at last"


def test_a_deadline_ends_the_work(start_agent: Start) -> None:
    agent = start_agent(AGENT_ROLE="assistant")
    soon = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
    answer = agent.invoke(slow(5_000), **{"X-AgentPlane-Deadline": soon})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "agent_timeout")


def test_one_too_many_is_refused(start_agent: Start) -> None:
    agent = start_agent(AGENT_ROLE="assistant", AGENT_MAX_ACTIVE="1")
    assert agent.http.get("/healthz").json() == {"status": "Healthy", "active": 0}
    first = threading.Thread(target=agent.invoke, args=(slow(1_500),))
    first.start()
    until_now(lambda: agent.http.get("/ping").json() == {"status": "HealthyBusy", "active": 1})
    assert agent.invoke("hello").status_code == 409
    first.join()
    assert agent.invoke("hello").status_code == 200


def test_sigterm_finishes_what_runs_and_takes_nothing_new(start_agent: Start) -> None:
    agent = start_agent(AGENT_ROLE="assistant")
    answers: list[int] = []
    running = threading.Thread(target=lambda: answers.append(agent.invoke(slow(2_000)).status_code))
    running.start()
    until_now(lambda: agent.http.get("/healthz").json()["active"] == 1)
    agent.terminate()
    until_now(lambda: agent.http.get("/healthz").json()["status"] == "Draining")
    refused = agent.invoke("more")
    assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
    running.join()
    assert answers == [200]
    assert agent.process.wait(10) == 0
