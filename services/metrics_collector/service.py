"""Declaration of the metrics collector."""

from services.chassis.resources import Resources
from services.chassis.service import Service, every
from services.contracts.executor import ExecutorClient
from services.contracts.node_manager import NodeManagerClient
from services.metrics_collector.logic import Samples
from services.metrics_collector.routes import router
from services.metrics_collector.settings import MetricsSettings
from services.metrics_collector.store import SampleStore
from services.metrics_collector.totals import Totals


def build(resources: Resources) -> Samples:
    """The logic on its store, with a client for each node's address."""

    def executor_at(url: str) -> ExecutorClient:
        return resources.client(ExecutorClient, at=url)

    return Samples(
        db=resources.db,
        store=SampleStore(resources.db),
        nodes=resources.client(NodeManagerClient),
        executor_at=executor_at,
        totals=Totals(resources.metrics.registry),
        settings=resources.settings(MetricsSettings),
    )


service = Service(
    name="metrics-collector",
    build=build,
    routes=[router],
    loops=[every(10, Samples.collect, exclusive=True), every(3600, Samples.forget, exclusive=True)],
    roles=["tenant", "system"],
    uses_bus=False,
)
