"""
The two ways in which a stock agent runs: its folder as a bundle, a process behind the platform's isolation,
or as an image of its own, in a container.

An image is the tests' Debian, the folder and its packages. Packages come from the ordinary registries through
the caches of uv and npm, and the engine keeps an image for as long as the folder stays the same.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from services.executor.docker_engine import Engine, EngineError
from services.executor.settings import ExecutorSettings
from tests.flows.ledger import upload
from tests.flows.live import Stranger
from tests.services.executor.containers import IMAGE

INSIDE, PYTHON = "/opt/agent", "3.11"
BUILD = {"DOCKER_BUILDKIT": "0"}


def deployed(stranger: Stranger, driver: str, folder: Path, *command: str, **spec: Any) -> Any:
    """Deploy a stock agent with a driver; the command is run in the agent's folder."""
    name = f"{folder.name.replace('_', '-')}-{driver}"
    usual = {"start_timeout_seconds": 240, "execution_timeout_seconds": 240, "max_attempts": 1}
    what = {"docker_image": image_of(folder)} if driver == "docker" else {"bundle": upload(stranger, folder)}
    body = {"command": list(command), **usual, **what, **spec}
    return stranger.deploy(body.pop("name", name), **body)


def image_of(folder: Path) -> str:
    """The image of an agent's folder, built unless the engine has it."""
    name = f"agentplane-test-{folder.name.replace('_', '-')}:{_digest(folder)}"
    try:
        Engine(str(ExecutorSettings().docker_socket)).ask("GET", f"/images/{name}/json")
    except EngineError:
        with tempfile.TemporaryDirectory() as place:
            _build(folder, Path(place), name)
    return name


def _build(folder: Path, place: Path, name: str) -> None:
    agent = place / "agent"
    shutil.copytree(folder, agent, ignore=shutil.ignore_patterns("__pycache__"))
    lines = [f"FROM {IMAGE}", f"WORKDIR {INSIDE}", f"COPY agent {INSIDE}", "ENV PYTHONDONTWRITEBYTECODE=1"]
    if (agent / "package.json").exists():
        _run("npm", "install", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts", at=agent)
        node = shutil.which("node")
        assert node is not None
        shutil.copy(node, place / "node")
        lines.append("COPY node /usr/local/bin/node")
    elif (agent / "requirements.txt").exists():
        uv = Path(sys.executable).with_name("uv")
        asked = ["--target", "packages", "--python-version", PYTHON, "--only-binary", ":all:"]
        _run(str(uv), "pip", "install", "--quiet", *asked, "-r", "requirements.txt", at=agent)
        lines.append(f"ENV PYTHONPATH={INSIDE}/packages")
    (place / "Dockerfile").write_text("\n".join(lines) + "\n")
    _run("docker", "build", "--quiet", "--tag", name, ".", at=place)


def _digest(folder: Path) -> str:
    seen = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if "__pycache__" not in path.parts:
            seen.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return seen.hexdigest()[:16]


def _run(*command: str, at: Path) -> None:
    done = subprocess.run(command, cwd=at, env={**os.environ, **BUILD}, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command[:2])} failed: {done.stdout}{done.stderr}"
