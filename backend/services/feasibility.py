"""Whether any node of the platform could ever run an agent: refused at deploy, not discovered at night."""

from collections.abc import Sequence

from services.chassis.errors import IsolationUnavailable, RuntimeUnavailable
from services.contracts.agents import AgentSpec, IsolationLevel
from services.contracts.nodes import NodeFacts

CONTAINER_DRIVERS = frozenset({"docker", "kubernetes"})
LIMITS = ("cpu", "memory")


def check_feasible(spec: AgentSpec, bundle_kind: str | None, nodes: Sequence[NodeFacts]) -> None:
    """Refuse a spec that no registered node could run; without nodes nothing is known, so nothing refused."""
    if not nodes:
        return
    able = [node for node in nodes if _can_run(spec, bundle_kind, node)]
    if not able:
        raise RuntimeUnavailable(_what_to_do(spec, bundle_kind, nodes))
    if spec.isolation is not None and not any(_isolates(spec.isolation, node) for node in able):
        reasons = "; ".join(
            f"{node.name}: {node.isolation.get(spec.isolation, 'not offered')}" for node in able[:5]
        )
        raise IsolationUnavailable(f"no node offers isolation {spec.isolation.value} ({reasons})")
    if spec.require_enforcement and not any(_enforces(node) for node in able):
        raise IsolationUnavailable(
            "require_enforcement is set, but every node can only advise a limit of cpu or memory"
        )


def _can_run(spec: AgentSpec, bundle_kind: str | None, node: NodeFacts) -> bool:
    aliased = spec.docker_image is not None and _tagged(spec.docker_image) in map(_tagged, node.images)
    engine = bool(CONTAINER_DRIVERS & set(node.drivers))
    if spec.docker_image is not None and not aliased:
        return engine
    if "kubernetes" in node.drivers:
        return True
    # Beside an engine, own code still runs as a process, with the runtimes of the machine.
    if bundle_kind in {"python", "node"} and bundle_kind not in node.runtimes:
        return False
    return aliased or "process" in node.drivers


def _tagged(image: str) -> str:
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"


def _what_to_do(spec: AgentSpec, bundle_kind: str | None, nodes: Sequence[NodeFacts]) -> str:
    if spec.docker_image is None:
        return f"no node has the runtime {bundle_kind} that the bundle needs; install it on a node"
    offered = sorted({image for node in nodes for image in node.images})
    return (
        f"no node can run the image {spec.docker_image}: there is no container engine, and without one only "
        f"{', '.join(offered) or 'bundles'} can run. Pack your code as a bundle, or add a node with an engine"
    )


def _isolates(level: IsolationLevel, node: NodeFacts) -> bool:
    return node.isolation.get(level) == "available"


def _enforces(node: NodeFacts) -> bool:
    return all(node.enforcement.get(limit, "advisory") != "advisory" for limit in LIMITS)
