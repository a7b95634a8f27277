"""
The dashboard in a browser, on a whole platform: nothing between the two is made up.

The scenarios are `frontend/tests/*.mjs` and `frontend/tests/problems/*.mjs`, one process each. Both builds
pass all of them in a soak; otherwise half of the problems and bulk work are left out, and the one with a
server of its own passes two.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaffold.openapi import DOCUMENT, rendered
from tests.flows.dashboards import FRONTEND, Dashboard, node, standalone, static
from tests.flows.live import LivePlatform
from tests.soak import SOAK

pytestmark = [pytest.mark.xdist_group("browser")]

SCENARIOS = (
    *("entry", "session", "tabs", "lockout", "agent", "keyboard", "keys", "memory", "fork", "approve"),
    *("organisations", "spending", "outside", "pages"),
    *(f"problems/{name}" for name in ("taken", "invalid", "session", "down")),
)
# Half of what can go wrong is enough for every day; what runs many executions takes long.
ALL = (*SCENARIOS, "many", *(f"problems/{name}" for name in ("changed", "role", "quota", "cut")))
OF_THE_SERVER = ALL if SOAK else ("entry", "session")
TOOLS = {
    *("run", "browser", "expect", "platform", "outside-world", "addresses", "looks", "problems/form"),
    *("screenshots", "furnish"),
    # Of benchmarks.dashboard.
    "smooth",
}


@pytest.fixture(scope="module")
def served(live: LivePlatform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """The build with a server of its own."""
    with standalone(live, tmp_path_factory.mktemp("standalone") / "log") as dashboard:
        yield dashboard


@pytest.mark.drill
@pytest.mark.parametrize("scenario", ALL if SOAK else SCENARIOS)
def test_in_the_browser(scenario: str, live: LivePlatform, tmp_path: Path) -> None:
    static(live).run(scenario, tmp_path / "last.png")


@pytest.mark.drill
@pytest.mark.parametrize("scenario", OF_THE_SERVER)
def test_with_a_server_of_its_own(scenario: str, served: Dashboard, tmp_path: Path) -> None:
    served.run(scenario, tmp_path / "last.png")


def test_the_client_fits_the_api_as_it_is() -> None:
    runtime = node()
    DOCUMENT.write_text(rendered(), encoding="utf-8")
    for command in (["scripts/types.mjs"], ["node_modules/typescript/bin/tsc", "--noEmit"]):
        done = subprocess.run([runtime.node, *command], cwd=FRONTEND, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_every_scenario_is_run() -> None:
    tests = FRONTEND / "tests"
    found = {path.relative_to(tests).with_suffix("").as_posix() for path in tests.rglob("*.mjs")}
    assert found - TOOLS == set(ALL)
