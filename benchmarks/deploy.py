"""How long from asking for an agent until it answers its health probe."""

import tempfile
import time
from pathlib import Path

from benchmarks.report import Report, publish
from tests.flows.live import Stranger, live_platform, until

COUNT = 30


def measure() -> Report:
    """Deploy agents one after the other, and some at once."""
    report = Report("Deploy to running", "python -m benchmarks.deploy")
    with tempfile.TemporaryDirectory(prefix="agentplane-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        with live_platform(Path(home)) as platform:
            stranger = platform.stranger()
            times = sorted(_deployed(stranger, number) for number in range(COUNT))
    report.add(f"p50 of {COUNT} deploys, one after the other", times[COUNT // 2], "s")
    report.add(f"p99 of {COUNT} deploys, one after the other", times[-1], "s", at_most=5)
    return report


def _deployed(stranger: Stranger, number: int) -> float:
    started = time.perf_counter()
    agent = stranger.post(
        "/api/v1/agents", {"name": f"bench-deploy-{number}", "docker_image": "agent-runtime:latest"}
    )
    path = f"/api/v1/agents/{agent['id']}"
    until(
        lambda: True if stranger.get(path)["status"]["state"] == "running" else None,
        60,
        lambda: f"not running: {stranger.get(path)}",
    )
    took = time.perf_counter() - started
    stranger.http.delete(path)
    return took


if __name__ == "__main__":
    publish("deploy", measure)
