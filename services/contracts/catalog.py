"""
The one list of names and ports.

Compose, Helm, Prometheus, the README's table and the folders are tested against it.
`process` names the process of local mode that carries the service.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["service", "edge", "web", "store", "observability"]
Process = Literal["control", "journal", "data-path", "node"]


@dataclass(frozen=True)
class Entry:
    """A part of the platform: its name on the wire, its port, and what it is for."""

    name: str
    port: int
    purpose: str
    kind: Kind = "service"
    process: Process = "control"

    @property
    def package(self) -> str:
        """The Python package that holds the service, as `services.agent_gateway`."""
        folder = self.name.replace("-", "_")
        return folder if folder in {"backend", "control_brain"} else f"services.{folder}"


SERVICES: tuple[Entry, ...] = (
    Entry("control-brain", 8200, "Reconciles desired with actual every 10 s, places and heals agents"),
    Entry("executor", 8081, "Runs agents on its node", process="node"),
    Entry("k8s-executor", 8089, "Runs agents as Kubernetes pods", process="node"),
    Entry("event-processor", 8082, "Projects events into live state and announces changes"),
    Entry("metrics-collector", 8083, "Keeps CPU and memory samples of instances"),
    Entry("websocket-gateway", 8084, "Pushes live updates to open pages"),
    Entry("reconciliation-service", 8085, "Audits drift independently of the brain"),
    Entry("scheduler-service", 8086, "Fires cron and trigger schedules"),
    Entry("node-manager", 8087, "Owns node facts, node leases and observed instance state"),
    Entry("log-processor", 8088, "Ingests agents' log lines in batches"),
    Entry("workflow-engine", 8092, "Runs DAG workflows of agents"),
    Entry("agent-autoscaler", 8093, "Scales agents with their queued work"),
    Entry("agent-gateway", 8094, "The boundary: executions, model calls, virtual keys", process="data-path"),
    Entry("marketplace-service", 8095, "Lists and installs published agents"),
    Entry("agent-sandbox-manager", 8096, "Owns isolation policies"),
    Entry("agent-simulation-engine", 8097, "Drives synthetic load and chaos"),
    Entry("global-scheduler", 8098, "Scores nodes and regions for the brain"),
    Entry("region-controller", 8099, "Owns region state and the failover plan"),
    Entry("usage-meter", 8100, "Counts billable quantities"),
    Entry("billing-engine", 8101, "Prices usage and writes invoices"),
    Entry("subscription-manager", 8102, "Owns plans and entitlements"),
    Entry("memory-vector-engine", 8103, "Stores and finds agents' memories", process="data-path"),
    Entry("secrets-manager", 8104, "The AES-256-GCM vault"),
    Entry("marketplace-validator", 8105, "Validates what is published"),
    Entry("agent-evolution-engine", 8106, "Evolves agent configurations"),
    Entry("agent-federation-network", 8107, "Lets agents of other installations work with ours"),
    Entry("cluster-controller", 8108, "Manages the life cycle of clusters"),
    Entry("agent-observability", 8109, "The journal: steps, timelines, lineage", process="journal"),
)

BACKEND = Entry("backend", 8000, "The public API: identity, tenancy, audit, limits", kind="edge")

SURROUNDINGS: tuple[Entry, ...] = (
    Entry("frontend", 3000, "The dashboard", kind="web"),
    Entry("postgres", 5432, "PostgreSQL 16 with pgvector, the only source of truth", kind="store"),
    Entry("redis", 6379, "Live state and caches", kind="store"),
    Entry("nats", 4222, "NATS JetStream, the event bus", kind="store"),
    Entry("prometheus", 9090, "Collects metrics", kind="observability"),
    Entry("grafana", 3001, "Dashboards over the metrics", kind="observability"),
    Entry("otel", 4317, "Collects traces", kind="observability"),
)

ALL: tuple[Entry, ...] = (BACKEND, *SERVICES, *SURROUNDINGS)

# The spec's status table has 35 rows: every part with a port of its own there; k8s-executor has none.
STATUS_TABLE: tuple[Entry, ...] = tuple(entry for entry in ALL if entry.name != "k8s-executor")

# Names that may call a service besides the services themselves.
OUTSIDE_CALLERS: tuple[str, ...] = ("cli", "prometheus")
CALLERS: tuple[str, ...] = (BACKEND.name, *(entry.name for entry in SERVICES), *OUTSIDE_CALLERS)


def entry(name: str) -> Entry:
    """The catalog's entry of that name; `KeyError` when there is none."""
    for candidate in ALL:
        if candidate.name == name:
            return candidate
    raise KeyError(f"{name} is not in the catalog")
