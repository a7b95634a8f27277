"""Every service as a process of its own: the same job is done, and each may be killed alone."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import assembly
from services.embedded.testing import WorkerStores
from tests.flows.apart import ApartPlatform
from tests.flows.drill import COUNT, deploy_ledger_agent, drill
from tests.flows.faults import kill_process
from tests.flows.ledger import Tool

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("drills")]


@pytest.fixture(scope="module")
def apart(stores: WorkerStores) -> Iterator[ApartPlatform]:
    with tempfile.TemporaryDirectory(prefix="agentplane-apart-", ignore_cleanup_errors=True) as home:
        Path(home).chmod(0o755)
        platform = ApartPlatform(Path(home), stores)
        try:
            platform.up()
            yield platform
        finally:
            platform.down()


def test_each_service_may_be_killed_alone(apart: ApartPlatform) -> None:
    tool = Tool()
    agent_id = deploy_ledger_agent(apart.stranger(), tool, "ledger-apart")
    faults = [kill_process(apart, entry.name) for entry in assembly.landed()]
    drill(apart, agent_id, tool, faults * max(1, COUNT // 20), pause=1)
    apart.stranger().http.delete(f"/api/v1/agents/{agent_id}")
    tool.close()
