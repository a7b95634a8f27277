"""Whether any node of the platform could ever run an agent: refused at deploy, not discovered at night."""

from collections.abc import Sequence

from services.chassis.errors import IsolationUnavailable, RuntimeUnavailable
from services.contracts.agents import AgentSpec, IsolationLevel
from services.contracts.nodes import NodeFacts

CONTAINER_DRIVERS = frozenset({"docker", "kubernetes"})
_ORDER = list(IsolationLevel)


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
    if CONTAINER_DRIVERS & set(node.drivers):
        return True
    if spec.bundle is not None:
        return bundle_kind in {None, "plain"} or bundle_kind in node.runtimes
    return spec.docker_image in node.images


def _what_to_do(spec: AgentSpec, bundle_kind: str | None, nodes: Sequence[NodeFacts]) -> str:
    if spec.bundle is not None:
        return f"no node has the runtime {bundle_kind} that the bundle needs; install it on a node"
    offered = sorted({image for node in nodes for image in node.images})
    return (
        f"no node can run the image {spec.docker_image}: there is no container engine, and without one only "
        f"{', '.join(offered) or 'bundles'} can run. Pack your code as a bundle, or add a node with an engine"
    )


def _isolates(level: IsolationLevel, node: NodeFacts) -> bool:
    strong_enough = _ORDER[_ORDER.index(level) :]
    return any(node.isolation.get(each) == "available" for each in strong_enough)


def _enforces(node: NodeFacts) -> bool:
    return all(node.enforcement.get(limit, "advisory") != "advisory" for limit in ("cpu", "memory"))
