"""Packages of Node for agents of tests, installed where they run; without a registry tests are skipped."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

OPENAI_NODE = "openai@6.49.0"


def installed(command: list[str]) -> None:
    """Run an installer, or skip the test and say why."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    if done.returncode != 0:
        pytest.skip(f"its packages cannot be installed here: {done.stderr.strip()[-200:]}")


def node_with_openai(home: Path) -> tuple[str, dict[str, str]]:
    """Node's program, and the environment in which it finds the `openai` package."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node is not installed here")
    installed([npm, "install", "--no-audit", "--no-fund", "--prefix", str(home / "node"), OPENAI_NODE])
    return node, {"NODE_PATH": str(home / "node" / "node_modules")}
