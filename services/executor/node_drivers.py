"""The drivers of one node behind the seam of one: each workload goes to the driver that its record names."""

from uuid import UUID

import structlog

from services.chassis.errors import RuntimeUnavailable
from services.contracts.agent_gateway import VirtualKey
from services.contracts.executor import Order
from services.contracts.log_processor import LogLine
from services.executor.docker_driver import NAME as DOCKER
from services.executor.docker_driver import DockerDriver
from services.executor.docker_probe import EngineUnfit
from services.executor.driver import Driver, DriverFacts, Observed, Output, Usage
from services.executor.images import BuiltInImage
from services.executor.logs import Cursor
from services.executor.process_driver import ProcessDriver
from services.executor.workload import Record, Workload

log = structlog.get_logger()


class NodeDrivers:
    """
    Images run as containers where an engine answers; bundles and the built-in image as processes.

    What a node does not offer (any more) it refuses to plan, with the reason; what runs already is still seen
    through by the driver that started it.
    """

    facts: DriverFacts

    def __init__(
        self,
        process: ProcessDriver,
        docker: DockerDriver,
        *,
        processes: bool,
        containers: bool,
        required: bool,
    ) -> None:
        self._process, self._docker = process, docker
        self._processes, self._containers, self._required = processes, containers, required
        self._unfit = "there is none, or it is switched off"

    async def probe(self) -> DriverFacts:
        """Find out what can be done here; an engine that is not fit is left out, or required in vain."""
        own = await self._process.probe() if self._processes else None
        engine = await self._probe_engine() if self._containers else None
        if own is not None and engine is not None:
            runtimes = {**own.runtimes, **engine.runtimes}
            own = DriverFacts(own.name, own.images, runtimes, own.isolation, own.enforcement, (engine.name,))
        facts = own or engine
        if facts is None:
            raise RuntimeUnavailable(f"no agent can run here: {self._unfit}")
        self.facts = facts
        return facts

    async def _probe_engine(self) -> DriverFacts | None:
        try:
            return await self._docker.probe()
        except EngineUnfit as error:
            self._containers, self._unfit = False, str(error)
            if self._required:
                raise RuntimeUnavailable(f"containers are required, but {error}") from error
            log.info("node.no_containers", reason=self._unfit)
            return None

    def _of(self, record: Record) -> Driver:
        return self._docker if record.driver == DOCKER else self._process

    def reserve(self, record: Record) -> None:
        """Note with every driver what a workload has in use, for all take from the same ports."""
        self._process.reserve(record)
        self._docker.reserve(record)

    def release(self, run_id: UUID) -> None:
        """Give back what was reserved for a workload that is being forgotten."""
        self._process.release(run_id)
        self._docker.release(run_id)

    def plan(self, order: Order) -> Record:
        """Decide which driver runs an order, and how."""
        image = order.spec.docker_image
        contained = image is not None and not (self._processes and BuiltInImage.is_called(image))
        if contained and not self._containers:
            raise RuntimeUnavailable(
                f"image {image} needs a container engine, which this node does not have ({self._unfit}): "
                f"use {BuiltInImage.name}, deploy a folder as a bundle, or add a node with Docker"
            )
        if not contained and not self._processes:
            raise RuntimeUnavailable("this node runs images in containers only; name one in docker_image")
        chosen: Driver = self._docker if contained else self._process
        record = chosen.plan(order)
        self.reserve(record)
        return record

    def enforcement(self, record: Record) -> dict[str, str]:
        """For each limit of a workload, who enforces it; empty for what is no longer offered here."""
        offered = self._containers if record.driver == DOCKER else self._processes
        return self._of(record).enforcement(record) if offered else {}

    async def prepare(self, workload: Workload) -> None:
        """Fetch its code or its image."""
        await self._of(workload.record).prepare(workload)

    async def start(self, workload: Workload, key: VirtualKey) -> None:
        """Start it, unless it was started before."""
        await self._of(workload.record).start(workload, key)

    def observe(self, workload: Workload) -> Observed:
        """Ask the machine."""
        return self._of(workload.record).observe(workload)

    async def wait(self, workload: Workload) -> None:
        """Return when nothing of it runs any more."""
        await self._of(workload.record).wait(workload)

    def stop(self, workload: Workload, reason: str, grace_seconds: float) -> bool:
        """Ask it to end and kill it after the grace; False when it does not run."""
        return self._of(workload.record).stop(workload, reason, grace_seconds)

    def kill(self, workload: Workload, reason: str) -> bool:
        """End it at once; False when it does not run."""
        return self._of(workload.record).kill(workload, reason)

    def give_up(self, workload: Workload, reason: str, message: str) -> None:
        """Note the end of a workload that never started or whose end nobody saw."""
        self._of(workload.record).give_up(workload, reason, message)

    def write_token(self, workload: Workload, token: str) -> None:
        """Replace the token that the agent reads."""
        self._of(workload.record).write_token(workload, token)

    def logs(self, workload: Workload, cursor: Cursor, limit: int) -> tuple[list[LogLine], Cursor]:
        """The lines at a cursor and the cursor behind them."""
        return self._of(workload.record).logs(workload, cursor, limit)

    def last_lines(self, workload: Workload, count: int) -> list[str]:
        """The newest lines it printed."""
        return self._of(workload.record).last_lines(workload, count)

    def output(self, workload: Workload) -> Output:
        """What a job answered."""
        return self._of(workload.record).output(workload)

    def usage(self, workload: Workload) -> Usage | None:
        """What it uses now; None when it does not run."""
        return self._of(workload.record).usage(workload)
