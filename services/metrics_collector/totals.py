"""What the whole platform uses, for Prometheus; never an agent's id as a label."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge

from services.contracts.executor import InstanceStats


class Totals:
    """Gauges over all instances of all organisations."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._instances = Gauge(
            "agentplane_instances_sampled", "Instances that gave a sample", registry=registry
        )
        self._cpu = Gauge(
            "agentplane_instances_cpu_percent", "CPU of all instances, of one core", registry=registry
        )
        self._memory = Gauge(
            "agentplane_instances_memory_bytes", "Memory of all instances", registry=registry
        )
        self._silent = Gauge("agentplane_nodes_silent", "Ready nodes that gave no samples", registry=registry)

    def set(self, samples: Sequence[InstanceStats], silent_nodes: int) -> None:
        """Show the newest round of samples."""
        self._instances.set(len(samples))
        self._cpu.set(sum(each.cpu_percent for each in samples))
        self._memory.set(sum(each.memory_bytes for each in samples))
        self._silent.set(silent_nodes)
