"""
Fidelity on frameworks as they are: LangGraph, and Node with the `openai` package, none of them changed.

Five tool calls a turn in parallel, each of which asks the model too; `make soak` counts 60 replays of each.
Their packages are put into environments of their own; without a package registry the tests say so and skip.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.contracts.executions import Execution
from services.contracts.time_travel import DecideMask
from tests.services.agent_gateway.node_packages import installed, node_with_openai
from tests.services.agent_gateway.replay.conftest import Travel
from tests.soak import Parts, count, keep_parts, recorded

HERE = Path(__file__).parent
LANGGRAPH = ("langgraph==1.2.22", "langchain-openai==1.7.3", "langgraph-prebuilt==1.1.2")
AT_ONCE = 3

pytestmark = pytest.mark.drill

Framework = tuple[list[str], dict[str, str]]


@pytest.fixture(scope="module")
def parts() -> Iterator[Parts]:
    """What each test found; a soak may run them one by one."""
    found: Parts = {}
    yield found
    tests = "tests/services/agent_gateway/replay/test_frameworks.py"
    with recorded("frameworks", "replays of LangGraph and of Node with the openai package", tests) as report:
        for part, counts in sorted(keep_parts("frameworks", found).items()):
            name, replays = f"{part}: clean replays of {counts['replays']}", counts["replays"]
            report.add(name, counts["clean"], "", at_least=replays)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="agentplane-frameworks-") as place:
        yield Path(place)


@pytest.fixture(scope="module")
def langgraph(home: Path) -> Framework:
    uv = Path(sys.executable).with_name("uv")
    made = home / "langgraph"
    installed([str(uv), "venv", "-q", "--python", sys.executable, str(made)])
    installed([str(uv), "pip", "install", "-q", "--python", str(made / "bin" / "python"), *LANGGRAPH])
    return [str(made / "bin" / "python"), str(HERE / "langgraph_agent.py")], {"HOME": str(home)}


@pytest.fixture(scope="module")
def node(home: Path) -> Framework:
    node, packages = node_with_openai(home)
    return [node, str(HERE / "node_agent.js")], packages


@pytest.fixture(params=["langgraph", "node"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def framework(request: pytest.FixtureRequest, name: str, travel: Travel) -> Travel:
    travel.command, travel.environment = request.getfixturevalue(name)
    return travel


async def clean(travel: Travel, source: Execution, replays: int) -> int:
    """How many of so many replays gave the recorded answers and met no divergence; none of them asks."""
    paid, found = travel.upstream.calls, 0
    while replays > 0:
        some = min(AT_ONCE, replays)
        replays -= some
        for replay in await travel.fork(source, branches=some):
            same = replay.status == "succeeded" and replay.output["heard"] == source.output["heard"]
            found += same and replay.diverged_at is None
    assert travel.upstream.calls == paid
    return found


@pytest.mark.parametrize("identical", [False, True])
async def test_parallel_tools_replay_cleanly(
    framework: Travel, name: str, identical: bool, parts: Parts
) -> None:
    replays = count(2, 60)
    await framework.replica()
    source = await framework.run({"parallel": 5, "rounds": 2, "identical": identical}, timeout_seconds=120)
    assert source.steps == framework.upstream.calls == 14
    found = await clean(framework, source, replays)
    kind = "identical" if identical else "different"
    parts[f"{name}, {kind} calls"] = {"replays": replays, "clean": found}
    assert found == replays


async def test_dates_and_random_ids_need_masks_and_one_calibration_finds_them(
    framework: Travel, name: str, parts: Parts
) -> None:
    replays = count(2, 20)
    await framework.replica()
    asked: dict[str, Any] = {"parallel": 3, "rounds": 2, "volatile": True}
    source = await framework.run(asked, timeout_seconds=120)
    # The clock must have moved on, or nothing would differ.
    await asyncio.sleep(1.1)
    assert await clean(framework, source, replays) == 0
    org_id = framework.world.org_id
    made = await framework.client.calibrate(org_id, source.id, "user:t")
    calibration = await framework.world.client.wait(org_id, made.id, 60)
    assert (calibration.status, calibration.diverged_at) == ("succeeded", None), calibration.divergence
    for mask in await framework.client.masks(org_id, source.agent_id):
        await framework.client.decide_mask(org_id, mask.id, DecideMask(approve=True), "user:t")
    found = await clean(framework, source, replays)
    parts[f"{name}, dates and random ids under learnt masks"] = {"replays": replays, "clean": found}
    assert found == replays
