"""The demo agent as a job: one input, one output, an exit code."""

import json
from pathlib import Path

from tests.agent_runtime.conftest import ModelServer, run_job


def test_output_is_the_last_line_and_in_the_file(model: ModelServer, tmp_path: Path) -> None:
    given, output = tmp_path / "input.json", tmp_path / "output.json"
    given.write_text(json.dumps("Order A-1044: I changed my mind."))
    model.requests.clear()
    done = run_job(
        "",
        OPENAI_BASE_URL=model.url,
        AGENTPLANE_INPUT_FILE=str(given),
        AGENTPLANE_OUTPUT_FILE=str(output),
        AGENTPLANE_EXECUTION_ID="e-7",
    )
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last == json.loads(output.read_text())
    assert last["refund"]["refund_cents"] == 12950
    assert {headers["X-AgentPlane-Execution-Id"] for headers, _ in model.requests} == {"e-7"}


def test_input_comes_from_standard_input(model: ModelServer) -> None:
    done = run_job("What is a lease?", OPENAI_BASE_URL=model.url, AGENT_ROLE="assistant")
    assert "What is a lease?" in json.loads(done.stdout.splitlines()[-1])["answer"]


def test_exit_codes_say_whether_to_try_again(model: ModelServer) -> None:
    away = run_job('"Order A-1042?"', OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert away.returncode == 75
    assert "llm_unavailable" in away.stderr
    assert run_job("", OPENAI_BASE_URL=model.url, AGENT_ROLE="assistant").returncode == 1
