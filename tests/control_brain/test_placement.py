"""Placing: never beyond what a node has, never where it cannot run, and always with the reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_brain.placement import Fleet, Request, place
from control_brain.state import NodeView
from services.contracts.agents import IsolationLevel
from services.contracts.nodes import NodeState
from tests.control_brain.views import agent_view, node_view

MIB = 1024**2


@given(
    st.lists(st.tuples(st.integers(1, 16), st.integers(64, 4096), st.integers(1, 5)), max_size=6),
    st.lists(st.tuples(st.integers(1, 8), st.integers(16, 2048)), max_size=20),
)
def test_no_node_ever_gets_more_than_it_has(
    nodes: list[tuple[int, int, int]], requests: list[tuple[int, int]]
) -> None:
    made = [
        node_view(f"n{i}", capacity_millicores=cores * 1000, capacity_bytes=mib * MIB, max_instances=most)
        for i, (cores, mib, most) in enumerate(nodes)
    ]
    fleet = Fleet(made)
    for cores, mib in requests:
        agent = agent_view(cpu_limit=cores, memory_limit_bytes=mib * MIB)
        fits = [node for node in made if _fits(node, cores * 1000, mib * MIB)]
        placed = place(fleet, Request(agent))
        assert (placed.node is not None) == bool(fits)
        assert placed.node is None or any(placed.node is node for node in fits)
        assert placed.reason
    for node in made:
        assert node.used_millicores <= node.facts.capacity_millicores
        assert node.used_bytes <= node.facts.capacity_bytes
        assert node.used_instances <= node.facts.max_instances


def _fits(node: NodeView, millicores: int, memory_bytes: int) -> bool:
    return (
        node.used_millicores + millicores <= node.room_millicores
        and node.used_bytes + memory_bytes <= node.room_bytes
        and node.used_instances < node.facts.max_instances
    )


@given(st.integers(1, 5), st.integers(1, 20))
def test_replicas_spread_evenly(nodes: int, replicas: int) -> None:
    made = [node_view(f"n{i}", capacity_millicores=1_000_000) for i in range(nodes)]
    fleet, agent = Fleet(made), agent_view(memory_limit_bytes=16 * MIB)
    beside = {node.id: 0 for node in made}
    for _ in range(replicas):
        placed = place(fleet, Request(agent, beside=beside))
        assert placed.node is not None
        beside[placed.node.id] += 1
    assert max(beside.values()) - min(beside.values()) <= 1


def test_different_agents_fill_one_node_before_the_next() -> None:
    made = [node_view(f"n{i}") for i in range(3)]
    fleet = Fleet(made)
    chosen = {place(fleet, Request(agent_view())).reason.split()[0] for _ in range(8)}
    assert len(chosen) == 1


@pytest.mark.parametrize(
    ("node", "spec", "why"),
    [
        ({}, {"region": "mars"}, "is in region local, not mars"),
        ({}, {"node_labels": {"gpu": "yes"}}, "has no label gpu=yes"),
        ({}, {"docker_image": "redis:7"}, "has no container engine, which the image redis:7 needs"),
        ({}, {"isolation": IsolationLevel.NAMESPACES}, "cannot isolate at level namespaces"),
        (
            {"enforcement": {"cpu": "advisory", "memory": "cgroup"}},
            {"require_enforcement": True},
            "cannot enforce cpu",
        ),
        ({"drivers": []}, {"docker_image": None, "command": ["x"]}, "has no driver for own code"),
        ({"drivers": ["docker"]}, {"docker_image": None, "command": ["x"]}, "has no driver for own code"),
        ({}, {"cpu_limit": 9}, "has less than 9000 millicores free"),
        ({"max_instances": 1}, {}, ""),
    ],
)
def test_each_filter_says_why(node: dict[str, Any], spec: dict[str, Any], why: str) -> None:
    placed = place(Fleet([node_view("n", **node)]), Request(agent_view(**spec)))
    if not why:
        assert placed.node is not None
        return
    assert placed.node is None
    assert f"n {why}" in placed.reason
    assert why in placed.explain["filtered"]["n"]


def test_nodes_that_are_silent_or_cordoned_take_nothing() -> None:
    silent, cordoned = node_view("silent"), node_view("cordoned")
    silent.state, cordoned.cordoned = NodeState.SILENT, True
    placed = place(Fleet([silent, cordoned]), Request(agent_view()))
    assert placed.node is None
    assert placed.explain["filtered"] == {"silent": "is silent", "cordoned": "is cordoned"}


def test_a_node_with_an_engine_runs_any_image() -> None:
    placed = place(Fleet([node_view("n", drivers=["docker"])]), Request(agent_view(docker_image="redis:7")))
    assert placed.node is not None


def test_where_an_agent_crashed_is_the_second_choice() -> None:
    made = [node_view("a"), node_view("b")]
    for avoided in made:
        placed = place(Fleet(made), Request(agent_view(), avoid=avoided.id))
        assert placed.node is not None
        assert placed.node is not avoided
    assert place(Fleet(made[:1]), Request(agent_view(), avoid=made[0].id)).node is made[0]
