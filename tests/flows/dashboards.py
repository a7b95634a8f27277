"""The dashboard in its two builds before one platform, and what a scenario of the browser is told."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from services.embedded.dashboard import DashboardBuild
from services.embedded.faults import LocalModeError
from services.embedded.node_runtime import NodeRuntime, find_node
from tests.flows.live import CHECKOUT, EMAIL, LivePlatform, until

FRONTEND = CHECKOUT / "frontend"
WITHIN_SECONDS = 900
START_SECONDS = 60


def node() -> NodeRuntime:
    """Node, or a skipped test that says why there is none."""
    if not (FRONTEND / "node_modules").is_dir():
        pytest.skip("the dashboard is not built: make dashboard")
    try:
        return find_node(FRONTEND / ".build")
    except LocalModeError as error:
        pytest.skip(str(error))


def chromium() -> str:
    """The browser, or a skipped test."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return found


@dataclass(frozen=True)
class Dashboard:
    """One build, served at an address."""

    kind: str
    url: str
    platform: LivePlatform

    def run(self, scenario: str, shot: Path) -> None:
        """Run `frontend/tests/<scenario>.mjs`; fail with what it says."""
        runtime = node()
        done = subprocess.run(
            [runtime.node, "tests/run.mjs", scenario],
            cwd=FRONTEND,
            env={**os.environ, **runtime.environment, **self.told(shot)},
            capture_output=True,
            text=True,
            timeout=WITHIN_SECONDS,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def told(self, shot: Path) -> dict[str, str]:
        """What a scenario must know; when it fails, its last page is drawn into `shot`."""
        return {
            "AGENTPLANE_WEB": self.url,
            "AGENTPLANE_API": self.platform.url,
            "AGENTPLANE_BUILD": self.kind,
            "AGENTPLANE_DATA": str(self.platform.data),
            "AGENTPLANE_OUTSIDE": str(self.platform.outside_port),
            "AGENTPLANE_WIRE_PORT": str(self.platform.wire_port),
            "AGENTPLANE_EMAIL": EMAIL,
            "AGENTPLANE_PASSWORD": self.platform.password,
            "AGENTPLANE_SHOT": str(shot),
            "CHROMIUM": chromium(),
        }


def static(platform: LivePlatform) -> Dashboard:
    """The files that the platform itself serves."""
    if not DashboardBuild(CHECKOUT).built:
        pytest.skip("the dashboard is not built: make dashboard")
    return Dashboard("static", f"http://127.0.0.1:{platform.port(3000)}", platform)


@contextmanager
def standalone(platform: LivePlatform, log: Path) -> Iterator[Dashboard]:
    """A Node server before the platform, as in compose."""
    build = DashboardBuild(CHECKOUT, "standalone")
    if not build.built:
        pytest.skip("the dashboard's own server is not built: make dashboard ARGS=standalone")
    runtime = node()
    told = {
        # Next takes this address for localhost unless told not to; in compose it listens on all.
        "HOSTNAME": "127.0.0.1",
        "PORT": str(platform.standalone_port),
        "AGENTPLANE_API_URL": platform.url,
        "NODE_ENV": "production",
    }
    with log.open("w") as output:
        server = subprocess.Popen(
            [runtime.node, "server.js"],
            cwd=build.directory,
            env={**os.environ, **runtime.environment, **told},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        dashboard = Dashboard("standalone", f"http://127.0.0.1:{platform.standalone_port}", platform)
        try:
            until(lambda: _answers(dashboard.url), START_SECONDS, lambda: log.read_text())
            yield dashboard
        finally:
            server.terminate()
            server.wait()


def _answers(url: str) -> bool | None:
    try:
        return httpx.get(f"{url}/login").status_code == 200 or None
    except httpx.TransportError:
        return None
