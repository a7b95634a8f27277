"""What no node could ever run is refused, with what to do about it."""

from typing import Any

import pytest

from backend.services.feasibility import check_feasible
from services.chassis.errors import IsolationUnavailable, RuntimeUnavailable
from services.chassis.ids import new_id
from services.contracts.agents import AgentSpec, IsolationLevel
from services.contracts.nodes import NodeFacts


def a_node(**more: Any) -> NodeFacts:
    facts: dict[str, Any] = {
        "node_id": new_id(),
        "name": "here",
        "boot_id": new_id(),
        "capacity_millicores": 2000,
        "capacity_bytes": 2**32,
        "max_instances": 100,
        "drivers": ["process"],
        "images": ["agent-runtime:latest"],
        "runtimes": {"python": "3.11"},
        "isolation": {"none": "available", "namespaces": "unprivileged user namespaces are off"},
        "enforcement": {"cpu": "watchdog", "memory": "watchdog"},
        "executor_url": "http://127.0.0.1:8081",
        "version": "0",
    }
    return NodeFacts.model_validate(facts | more)


def test_the_alias_runs_and_another_image_is_refused() -> None:
    check_feasible(AgentSpec(docker_image="agent-runtime"), None, [a_node()])
    with pytest.raises(RuntimeUnavailable, match="Pack your code as a bundle"):
        check_feasible(AgentSpec(docker_image="nginx:1"), None, [a_node()])
    check_feasible(AgentSpec(docker_image="nginx:1"), None, [a_node(), a_node(drivers=["docker"])])


def test_a_bundle_needs_its_runtime() -> None:
    spec = AgentSpec(bundle="0" * 64)
    check_feasible(spec, "python", [a_node()])
    with pytest.raises(RuntimeUnavailable, match="node"):
        check_feasible(spec, "node", [a_node()])
    # An engine beside changes nothing: own code is a process.
    with pytest.raises(RuntimeUnavailable, match="node"):
        check_feasible(spec, "node", [a_node(drivers=["process", "docker"])])
    with pytest.raises(RuntimeUnavailable):
        check_feasible(spec, "python", [a_node(drivers=["docker"])])


def test_isolation_and_enforcement_are_never_weakened() -> None:
    image = "agent-runtime:latest"
    with pytest.raises(IsolationUnavailable, match="user namespaces are off"):
        check_feasible(AgentSpec(docker_image=image, isolation=IsolationLevel.NAMESPACES), None, [a_node()])
    strict = AgentSpec(docker_image=image, require_enforcement=True)
    check_feasible(strict, None, [a_node()])
    with pytest.raises(IsolationUnavailable):
        check_feasible(strict, None, [a_node(enforcement={"cpu": "advisory", "memory": "cgroup"})])


def test_without_nodes_nothing_is_refused() -> None:
    check_feasible(AgentSpec(docker_image="nginx:1"), None, [])
