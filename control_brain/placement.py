"""
Where an instance runs: filter the nodes that can, score those, keep the reasons.

    filter   state, cordon, driver, image, runtime, region, labels, isolation, enforcement, capacity
    score    least waste: full nodes first, evenly in both dimensions; minus the agent's replicas there

A pure function of the nodes and the request. What does not depend on load is judged once for each kind of
request (`Fleet`), so that placing a thousand alike instances costs little more than placing one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from control_brain.state import AgentView, NodeView
from services.contracts.nodes import NodeState

SHOWN_NODES = 20
SCORED_NODES = 32
SPREAD_WEIGHT = 1.0
AVOID_WEIGHT = 0.5
ENFORCED = ("memory", "cpu")

Shape = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """Room for one instance of an agent; `beside` counts its replicas on each node."""

    agent: AgentView
    salt: int = 0
    beside: Mapping[UUID, int] = field(default_factory=dict)
    avoid: UUID | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """The chosen node, or why there is none."""

    node: NodeView | None
    reason: str
    explain: dict[str, Any]


class Fleet:
    """The nodes of one snapshot, with what was found out about kinds of requests."""

    def __init__(self, nodes: Iterable[NodeView]) -> None:
        self.nodes = list(nodes)
        self._judged: dict[Shape, tuple[list[NodeView], dict[str, str]]] = {}

    def able(self, agent: AgentView) -> tuple[list[NodeView], dict[str, str]]:
        """The nodes that could run the agent if they had room, and why each of the others cannot."""
        shape = shape_of(agent)
        if shape not in self._judged:
            verdicts = [(node, obstacle(node, agent)) for node in self.nodes]
            able = [node for node, verdict in verdicts if verdict is None]
            self._judged[shape] = able, {node.facts.name: why for node, why in verdicts if why}
        return self._judged[shape]


def shape_of(agent: AgentView) -> Shape:
    """What a node's ability to run the agent depends on; equal shapes get equal verdicts."""
    spec = agent.spec
    labels = tuple(sorted(spec.node_labels.items()))
    isolation = (spec.isolation, spec.require_enforcement)
    return (spec.docker_image, agent.runtime, spec.region, labels, isolation)


def obstacle(node: NodeView, agent: AgentView) -> str | None:
    """Why the node cannot run the agent however empty it is; null when it can."""
    facts, spec = node.facts, agent.spec
    if node.state is not NodeState.READY:
        return f"is {node.state}"
    if node.cordoned or node.draining:
        return "is cordoned"
    if spec.region is not None and spec.region != facts.region:
        return f"is in region {facts.region}, not {spec.region}"
    for label, value in spec.node_labels.items():
        if facts.labels.get(label) != value:
            return f"has no label {label}={value}"
    return cannot_run(node, agent) or cannot_contain(node, agent)


def cannot_run(node: NodeView, agent: AgentView) -> str | None:
    """Which driver or runtime the node lacks for the agent; null when it has all."""
    facts, spec = node.facts, agent.spec
    aliased = spec.docker_image is not None and _tagged(spec.docker_image) in map(_tagged, facts.images)
    engine = not {"docker", "kubernetes"}.isdisjoint(facts.drivers)
    if spec.docker_image is not None:
        if not (engine or aliased):
            return f"has no container engine, which the image {spec.docker_image} needs"
    elif {"process", "kubernetes"}.isdisjoint(facts.drivers):
        return "has no driver for own code"
    # A container brings its runtime along; beside an engine, own code still runs as a process.
    contained = "kubernetes" in facts.drivers or (engine and spec.docker_image is not None and not aliased)
    if agent.runtime is not None and agent.runtime not in facts.runtimes and not contained:
        return f"has no {agent.runtime} runtime"
    return None


def cannot_contain(node: NodeView, agent: AgentView) -> str | None:
    """Which isolation or limit the agent requires and the node cannot give; null when it gives all."""
    facts, spec = node.facts, agent.spec
    if spec.isolation is not None and facts.isolation.get(spec.isolation) != "available":
        why = facts.isolation.get(spec.isolation, "not offered")
        return f"cannot isolate at level {spec.isolation}: {why}"
    if spec.require_enforcement:
        weak = [limit for limit in ENFORCED if facts.enforcement.get(limit, "advisory") == "advisory"]
        if weak:
            return f"cannot enforce {' and '.join(weak)}"
    return None


def _tagged(image: str) -> str:
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"


def shortage(node: NodeView, millicores: int, memory_bytes: int) -> str | None:
    """Which capacity the node has too little of; null when the instance fits."""
    # Said without what others use: the reason is shown to tenants, and stays the same while they come and go.
    if node.used_instances >= node.facts.max_instances:
        return f"has its most of {node.facts.max_instances} instances"
    if node.used_millicores + millicores > node.room_millicores:
        return f"has less than {millicores} millicores free"
    if node.used_bytes + memory_bytes > node.room_bytes:
        return f"has less than {memory_bytes / 1024**2:.0f} MiB free"
    return None


def score(node: NodeView, millicores: int, memory_bytes: int, beside: int, avoided: bool) -> float:
    """How good the node is: well filled and evenly, with few replicas of the same agent."""
    cpu = (node.used_millicores + millicores) / node.room_millicores
    memory = (node.used_bytes + memory_bytes) / node.room_bytes
    imbalance = cpu - memory if cpu > memory else memory - cpu
    return (cpu + memory - imbalance) / 2 - SPREAD_WEIGHT * beside - (AVOID_WEIGHT if avoided else 0)


def place(fleet: Fleet, request: Request) -> Placement:
    """Choose a node and take the room on it, or say which filter each node failed."""
    agent = request.agent
    millicores, memory_bytes = agent.millicores, agent.spec.memory_limit_bytes
    able, refused = fleet.able(agent)
    full: dict[str, str] = {}
    scored: list[tuple[float, NodeView]] = []
    for node in _candidates(able, request.salt):
        lacking = shortage(node, millicores, memory_bytes)
        if lacking is not None:
            full[node.facts.name] = lacking
            continue
        avoided = node.facts.node_id == request.avoid
        beside = request.beside.get(node.facts.node_id, 0)
        scored.append((score(node, millicores, memory_bytes, beside, avoided), node))
        if len(scored) >= SCORED_NODES:
            break
    if not scored:
        return Placement(None, _nowhere(refused, full), _explanation([], refused, full))
    best, node = max(scored, key=lambda pair: (pair[0], pair[1].facts.node_id.int))
    node.take(millicores, memory_bytes)
    reason = f"{node.facts.name} scored best of {len(scored)}: {best:.3f}"
    return Placement(node, reason, _explanation(scored, refused, full))


def _candidates(able: list[NodeView], salt: int) -> Iterable[NodeView]:
    # In a large fleet a bounded number of nodes is scored, from another starting point for each instance.
    if len(able) <= SCORED_NODES:
        return able
    start = salt % len(able)
    return able[start:] + able[:start]


def _nowhere(refused: dict[str, str], full: dict[str, str]) -> str:
    if not refused and not full:
        return "no node has registered"
    reasons = [f"{name} {why}" for name, why in (full | refused).items()]
    more = f"; and {len(reasons) - 5} more" if len(reasons) > 5 else ""
    return f"no node can take it: {'; '.join(reasons[:5])}{more}"


def _explanation(
    scored: list[tuple[float, NodeView]], refused: dict[str, str], full: dict[str, str]
) -> dict[str, Any]:
    best = sorted(scored, key=lambda pair: -pair[0])[:SHOWN_NODES]
    filtered = list((full | refused).items())
    return {
        "scores": {node.facts.name: round(value, 4) for value, node in best},
        "filtered": dict(filtered[:SHOWN_NODES]),
        "considered": len(scored) + len(filtered),
    }
