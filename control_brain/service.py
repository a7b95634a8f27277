"""Declaration of the control brain."""

from functools import cache

from control_brain.change_store import ChangeStore
from control_brain.delivery import Delivery
from control_brain.job_store import JobStore
from control_brain.jobs import Jobs
from control_brain.logic import INTERVAL_SECONDS, Brain
from control_brain.order_store import OrderStore
from control_brain.picture_store import PictureStore
from control_brain.registry import Registry
from control_brain.registry_store import RegistryStore
from control_brain.routes import router
from control_brain.settings import BrainSettings
from control_brain.store import Sight
from control_brain.ticks import Reconciler
from services.chassis.resources import Resources
from services.chassis.service import Service, every, on
from services.contracts.control_brain import BRAIN_WAKE
from services.contracts.executor import ExecutorClient


def build(resources: Resources) -> Brain:
    """The brain on its stores, with a client for each node's executor."""
    db, clock, settings = resources.db, resources.clock, resources.settings(BrainSettings)
    sight = Sight(db, settings.cpu_overcommit, settings.memory_overcommit)
    changes, orders, picture = ChangeStore(), OrderStore(db), PictureStore(db)
    reconciler = Reconciler(db, sight, changes, orders, resources.outbox, settings)
    jobs = Jobs(db, reconciler, sight, JobStore(db), changes, orders, picture, resources.outbox)

    @cache
    def executor_at(url: str) -> ExecutorClient:
        return resources.client(ExecutorClient, at=url)

    delivery = Delivery(db, orders, changes, executor_at, clock, settings)
    return Brain(
        db=db,
        bus=resources.bus,
        clock=clock,
        settings=settings,
        sight=sight,
        changes=changes,
        orders=orders,
        picture=picture,
        reconciler=reconciler,
        jobs=jobs,
        delivery=delivery,
        registry=Registry(RegistryStore(db)),
    )


service = Service(
    name="control-brain",
    build=build,
    routes=[router],
    handlers=[on(BRAIN_WAKE, Brain.heard, every_replica=True)],
    loops=[
        every(INTERVAL_SECONDS, Brain.reconcile, exclusive=True, woken_by=lambda brain: brain.woken),
        every(1, Brain.deliver, woken_by=lambda brain: brain.orders_waiting),
        every(600, Brain.prune, exclusive=True),
    ],
    roles=["tenant", "system"],
    stop=Brain.close,
)
