"""
Ending every agent of a node from its files alone, with no executor running.

    python -m services.executor.sweep DIRECTORY [GRACE_SECONDS]
"""

import asyncio
import sys
from pathlib import Path

from services.executor.shim_process import ShimProcess


def _shims(directory: Path) -> list[ShimProcess]:
    places = [*directory.glob("instances/*"), *directory.glob("environments/*.build")]
    return [ShimProcess(place) for place in places]


async def sweep(directory: Path, grace_seconds: float = 10.0) -> int:
    """Stop whatever runs below a node's directory and wait until it is gone; the number that ran."""
    running = [shim for shim in _shims(directory) if shim.stop("control_plane_shutdown", grace_seconds)]
    await asyncio.gather(*(shim.wait() for shim in running))
    return len(running)


if __name__ == "__main__":
    grace = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    print(asyncio.run(sweep(Path(sys.argv[1]), grace)), "agents ended")
