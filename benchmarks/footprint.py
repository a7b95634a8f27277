"""Memory of the platform's processes at rest, after a thousand agents and ten thousand executions."""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from benchmarks.report import Report, publish
from tests.flows.live import LivePlatform, Stranger, live_platform

AGENTS = int(os.environ.get("AGENTPLANE_BENCH_AGENTS", "1000"))
EXECUTIONS = int(os.environ.get("AGENTPLANE_BENCH_EXECUTIONS", "10000"))
IDLE_SECONDS = 120
PROCESSES = ("supervisor", "fork-server", "control", "journal", "data-path", "node")


def measure() -> Report:
    """Fill a platform, let it rest, and add up what its processes hold."""
    report = Report("Memory at rest", "python -m benchmarks.footprint")
    with tempfile.TemporaryDirectory(prefix="agentplane-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        with live_platform(Path(home)) as platform:
            report.add("sum of PSS just started", sum(_pss(platform).values()), "MB")
            _fill(platform)
            time.sleep(IDLE_SECONDS)
            for name, megabytes in _pss(platform).items():
                report.add(f"PSS of {name}", megabytes, "MB")
            total = sum(_pss(platform).values())
            report.add(
                f"sum of PSS after {AGENTS} agents and {EXECUTIONS} executions", total, "MB", at_most=250
            )
            report.note(
                "Stores and agents apart, two minutes after the last execution. The agents are stopped "
                "ones, the executions ran on one that runs."
            )
    return report


def _fill(platform: LivePlatform) -> None:
    stranger = platform.stranger()
    worker = stranger.deploy("bench-worker", replicas=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: _idle_agent(stranger, number), range(AGENTS - 1)))
        identifiers = list(
            pool.map(lambda number: _execution(stranger, worker["id"], number), range(EXECUTIONS))
        )
    # A token lasts 15 minutes, and a crowded machine may take longer.
    stranger = platform.stranger()
    for identifier in identifiers[-50:]:
        stranger.finished(identifier, 600)


def _idle_agent(stranger: Stranger, number: int) -> None:
    stranger.post(
        "/api/v1/agents", {"name": f"idle-{number}", "docker_image": "agent-runtime:latest", "replicas": 0}
    )


def _execution(stranger: Stranger, agent_id: str, number: int) -> str:
    return str(stranger.post(f"/api/v1/agents/{agent_id}/executions", {"input": f"order {number}"})["id"])


def _pss(platform: LivePlatform) -> dict[str, float]:
    """Proportional set size of each process, in MB."""
    found = {}
    for name in PROCESSES:
        pid = _supervisor(platform) if name == "supervisor" else platform.pid_of(name)
        found[name] = psutil.Process(pid).memory_full_info().pss / 1024**2
    return found


def _supervisor(platform: LivePlatform) -> int:
    return psutil.Process(platform.pid_of("fork-server")).ppid()


if __name__ == "__main__":
    publish("footprint", measure)
