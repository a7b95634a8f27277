"""Run every benchmark, one after the other, and write `benchmarks/RESULTS.md`: `make bench`."""

import subprocess
import sys
from pathlib import Path

from benchmarks.report import load_reports

# In this order: the ones that need a quiet machine first.
BENCHMARKS = (
    "startup",
    "footprint",
    "api",
    "limits",
    "logins",
    "tracing",
    "brain_tick",
    "boundary",
    "journal",
    "executions",
    "websocket",
    "memory",
    "memory_api",
    "deploy",
    "dashboard",
    "peers.servers",
)

HEADER = """# Benchmark results

Written by `make bench`. Each section names the command that reproduces it. The machine is shared and noisy:
trust ratios taken in one run, and CPU time, more than seconds. A goal that was missed says so.

"""


def main() -> int:
    """Run what was asked for, or all; returns how many failed."""
    chosen = sys.argv[1:] or BENCHMARKS
    failed = 0
    for name in chosen:
        sys.stdout.write(f"--- {name}\n")
        sys.stdout.flush()
        failed += subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode != 0
    sections = [report.markdown() for report in load_reports()]
    Path(__file__).with_name("RESULTS.md").write_text(HEADER + "\n".join(sections))
    return failed


if __name__ == "__main__":
    sys.exit(main())
