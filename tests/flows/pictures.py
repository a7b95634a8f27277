"""
Pictures of every page, on a platform of its own after a day's work.

`python -m tests.flows.pictures DIRECTORY [dark] [light] [width…]`; what follows the directory goes to
`frontend/tests/screenshots.mjs`, whose variables count too, as `ONLY=overview`. The models are answered by a
provider of the tests that takes its time, so that costs and times are no script's.
"""

import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from tests.flows.dashboards import FRONTEND, node, static
from tests.flows.live import LivePlatform, live_platform
from tests.flows.provider import outside_provider

SHORTEST_SECONDS, SPREAD_SECONDS = 0.25, 1.3


def _pace(request: bytes) -> float:
    """The same request always takes the same."""
    return SHORTEST_SECONDS + SPREAD_SECONDS * (zlib.crc32(request) % 1000) / 1000


def main(directory: str, *more: str) -> int:
    """Take them; what is wrong is said by the script."""
    with tempfile.TemporaryDirectory(prefix="agentplane-pictures-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        with outside_provider(_pace) as provider:
            settings = provider.settings("sk-of-the-pictures")
            with live_platform(Path(home), LivePlatform(Path(home), settings)) as platform:
                return _take(platform, directory, more)


def _take(platform: LivePlatform, directory: str, more: Sequence[str]) -> int:
    runtime = node()
    told = {**runtime.environment, **static(platform).told(Path(os.devnull)), "FURNISH": "1"}
    command = [runtime.node, "tests/screenshots.mjs", str(Path(directory).resolve()), *more]
    return subprocess.run(command, cwd=FRONTEND, env={**os.environ, **told}).returncode


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
