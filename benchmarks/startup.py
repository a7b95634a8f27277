"""How long it takes until the platform is ready: the very first start, and one on data that is there."""

import tempfile
import time
from pathlib import Path

from benchmarks.report import Report, publish
from tests.flows.live import LivePlatform


def measure() -> Report:
    """Start a platform on nothing, stop it, and start it again."""
    report = Report("Start", "python -m benchmarks.startup")
    with tempfile.TemporaryDirectory(prefix="agentplane-bench-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        platform = LivePlatform(Path(home))
        platform.prepare()
        try:
            report.add("first start, demo agent deployed and run", _timed(platform), "s")
            platform.down()
            warm = sorted(_again(platform) for _ in range(3))
            report.add("start on existing data, median of 3", warm[1], "s", at_most=10)
            report.add("start on existing data, worst of 3", warm[2], "s", at_most=10)
        finally:
            platform.down()
    return report


def _timed(platform: LivePlatform) -> float:
    started = time.perf_counter()
    platform.up()
    return time.perf_counter() - started


def _again(platform: LivePlatform) -> float:
    took = _timed(platform)
    platform.down()
    return took


if __name__ == "__main__":
    publish("startup", measure)
