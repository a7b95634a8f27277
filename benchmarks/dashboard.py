"""What the dashboard's pages load at first, and whether the largest ones stay smooth."""

import json
import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from benchmarks.journal_data import answer, step
from benchmarks.report import Report, publish
from services.contracts.catalog import SERVICES
from services.contracts.step_frames import framed
from services.contracts.steps import NewStep, StepKind
from services.embedded.dashboard import DashboardBuild
from services.embedded.env_file import read_env
from services.embedded.settings import key_variable
from tests.flows.dashboards import FRONTEND, node, static
from tests.flows.live import CHECKOUT, LivePlatform, Stranger, live_platform

JOURNAL = next(entry for entry in SERVICES if entry.name == "agent-observability")
AGENTS, STEPS, BATCH = 1_000, 5_000, 250
KIB = 1024
LONG_MS = 50
# Half a second is what a person takes for a hitch rather than for an answer.
LONGEST_MS = 500


def measure() -> Report:
    """Fill a platform, use its largest pages in a browser, and read what the build says of their size."""
    report = Report("Dashboard", "python -m benchmarks.dashboard")
    _first_load(report)
    with tempfile.TemporaryDirectory(prefix="agentplane-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        with live_platform(Path(home)) as platform:
            stranger = platform.stranger()
            agent = _fill_agents(stranger)
            execution = _fill_steps(platform, stranger, agent)
            _smoothness(report, platform, execution, str(agent["id"]))
    report.note(
        f"{AGENTS:,} agents and an execution of {STEPS:,} steps, written through the API and the journal's "
        f"own route. A long task keeps the page from answering for more than {LONG_MS} ms "
        "(PerformanceObserver); headless Chromium without a graphics card, on a machine that also runs the "
        "platform."
    )
    return report


def _first_load(report: Report) -> None:
    build = DashboardBuild(CHECKOUT)
    build.run()
    manifest = json.loads((build.directory / "manifest.json").read_text())
    budget = manifest["first_load_budget_bytes"] / KIB
    for page, size in sorted(manifest["first_load_bytes"].items()):
        report.add(f"first-load JavaScript, gzip: {page}", round(size / KIB), "KiB", at_most=budget)


def _fill_agents(stranger: Stranger) -> Any:
    def make(number: int) -> Any:
        body = {"name": f"many-{number:04}", "docker_image": "agent-runtime:latest", "replicas": 0}
        return stranger.post("/api/v1/agents", body)

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(make, range(AGENTS)))[-1]


def _fill_steps(platform: LivePlatform, stranger: Stranger, agent: Any) -> str:
    execution = stranger.post(f"/api/v1/agents/{agent['id']}/executions", {"input": "a long day"})
    key = read_env(platform.root / ".env")[key_variable("agent-gateway")]
    org_id = stranger.get("/api/v1/auth/me")["organisation_id"]
    place = (UUID(org_id), UUID(agent["id"]), UUID(execution["id"]))
    journal = f"http://127.0.0.1:{platform.port(JOURNAL.port)}/steps"
    with httpx.Client(timeout=60, headers={"X-Service-API-Key": key}) as gateway:
        for first in range(1, STEPS + 1, BATCH):
            batch = [_step(*place, seq) for seq in range(first, first + BATCH)]
            gateway.post(journal, content=framed([vars(each) for each in batch])).raise_for_status()
    return str(execution["id"])


def _step(org_id: UUID, agent_id: UUID, execution_id: UUID, seq: int) -> NewStep:
    begun = datetime.now(UTC) + timedelta(milliseconds=40 * seq)
    request = json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"step {seq}"}]})
    values: dict[str, Any] = {
        "started_at": begun,
        "first_byte_at": begun + timedelta(milliseconds=10),
        "finished_at": begun + timedelta(milliseconds=30),
        "request_bytes": request.encode(),
        "response_bytes": answer({"role": "assistant", "content": f"done with {seq}"}),
    }
    if seq % 2 == 0:
        values |= {"kind": StepKind.TOOL, "name": f"lookup-{seq}", "model": None, "provider": "tools"}
    return step(org_id, agent_id, execution_id, seq, **values)


def _smoothness(report: Report, platform: LivePlatform, execution: str, agent: str) -> None:
    told = static(platform).told(Path(os.devnull))
    runtime = node()
    done = subprocess.run(
        [runtime.node, "tests/run.mjs", "smooth", execution, agent],
        cwd=FRONTEND,
        env={**os.environ, **runtime.environment, **told},
        capture_output=True,
        text=True,
        timeout=900,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    for what, found in json.loads(done.stdout.splitlines()[-1]).items():
        report.add(f"{what}: longest task", found["longest_ms"], "ms", at_most=LONGEST_MS)
        report.add(f"{what}: long tasks", found["tasks"], f"in {found['lasted_ms'] / 1000:.1f} s")


if __name__ == "__main__":
    publish("dashboard", measure)
