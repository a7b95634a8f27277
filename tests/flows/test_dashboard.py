"""
The dashboard in a browser, on a whole platform: nothing between the two is made up.

The scenarios are `frontend/tests/*.mjs`, one process each; they need Chromium and the built dashboard.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scaffold.openapi import DOCUMENT, rendered
from services.embedded.dashboard import DashboardBuild
from services.embedded.faults import LocalModeError
from services.embedded.node_runtime import find_node
from tests.flows.live import CHECKOUT, EMAIL, LivePlatform

pytestmark = pytest.mark.xdist_group("live")

SCENARIOS = (
    *("session", "tabs", "lockout", "agent", "keys", "memory", "fork", "problems"),
    *("organisations", "spending", "outside", "pages"),
)
FRONTEND = CHECKOUT / "frontend"
WITHIN_SECONDS = 400


def _chromium() -> str | None:
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def _missing() -> str | None:
    if _chromium() is None:
        return "no Chromium on this machine: apt-get install chromium"
    if not (FRONTEND / "node_modules").is_dir() or not DashboardBuild(CHECKOUT).built:
        return "the dashboard is not built: make dashboard"
    return None


@pytest.fixture(scope="module")
def browser(live: LivePlatform) -> dict[str, str]:
    """What a scenario is told: the platform, who logs in, and which browser."""
    if (missing := _missing()) is not None:
        pytest.skip(missing)
    return {
        "AGENTPLANE_WEB": f"http://127.0.0.1:{live.port(3000)}",
        "AGENTPLANE_EMAIL": EMAIL,
        "AGENTPLANE_PASSWORD": live.password,
        "CHROMIUM": str(_chromium()),
        "AGENTPLANE_OUTSIDE": str(live.outside_port),
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_in_the_browser(scenario: str, browser: dict[str, str], tmp_path: Path) -> None:
    try:
        node = find_node(FRONTEND / ".build")
    except LocalModeError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [node.node, "tests/run.mjs", scenario],
        cwd=FRONTEND,
        env={**os.environ, **node.environment, **browser, "AGENTPLANE_SHOT": str(tmp_path / "last.png")},
        capture_output=True,
        text=True,
        timeout=WITHIN_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_the_client_fits_the_api_as_it_is() -> None:
    if not (FRONTEND / "node_modules").is_dir():
        pytest.skip("the dashboard is not built: make dashboard")
    node = find_node(FRONTEND / ".build")
    DOCUMENT.write_text(rendered(), encoding="utf-8")
    for command in (["scripts/types.mjs"], ["node_modules/typescript/bin/tsc", "--noEmit"]):
        done = subprocess.run([node.node, *command], cwd=FRONTEND, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_every_scenario_is_run() -> None:
    tools = {"run", "browser", "expect", "screenshots"}
    assert {path.stem for path in (FRONTEND / "tests").glob("*.mjs")} - tools == set(SCENARIOS)
