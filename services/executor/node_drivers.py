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

    A node without the one or the other refuses what it cannot run, with the reason.
    """

    facts: DriverFacts

    def __init__(self, process: ProcessDriver | None, docker: DockerDriver | None, *, required: bool) -> None:
        self._process, self._docker, self._required = process, docker, required
        self._unfit = "it is switched off or there is no engine"

    async def probe(self) -> DriverFacts:
        """Find out what can be done here; an engine that is not fit is left out, or required in vain."""
        own = await self._process.probe() if self._process else None
        containers = None
        if self._docker is not None:
            try:
                containers = await self._docker.probe()
            except EngineUnfit as error:
                if self._required or own is None:
                    raise RuntimeUnavailable(f"no agent can run here: {error}") from error
                self._docker, self._unfit = None, str(error)
                log.info("node.no_containers", reason=self._unfit)
        if own is None:
            assert containers is not None
            self.facts = containers
        elif containers is None:
            self.facts = own
        else:
            runtimes = {**own.runtimes, **containers.runtimes}
            self.facts = DriverFacts(
                own.name, own.images, runtimes, own.isolation, own.enforcement, (containers.name,)
            )
        return self.facts

    def _all(self) -> list[Driver]:
        both: list[Driver | None] = [self._process, self._docker]
        return [one for one in both if one is not None]

    def _of(self, record: Record) -> Driver:
        wanted: Driver | None = self._docker if record.driver == DOCKER else self._process
        if wanted is None:
            raise RuntimeUnavailable(f"this node has no {record.driver} driver any more")
        return wanted

    def reserve(self, record: Record) -> None:
        """Note with every driver what a workload has in use, for all take from the same ports."""
        for one in self._all():
            one.reserve(record)

    def release(self, run_id: UUID) -> None:
        """Give back what was reserved for a workload that is being forgotten."""
        for one in self._all():
            one.release(run_id)

    def plan(self, order: Order) -> Record:
        """Decide which driver runs an order, and how."""
        image = order.spec.docker_image
        contained = image is not None and not (self._process and BuiltInImage.is_called(image))
        chosen: Driver | None = self._docker if contained else self._process
        if chosen is None and contained:
            raise RuntimeUnavailable(
                f"image {image} needs a container engine, which this node does not have ({self._unfit}): "
                f"use {BuiltInImage.name}, deploy a folder as a bundle, or add a node with Docker"
            )
        if chosen is None:
            raise RuntimeUnavailable("this node runs images in containers only; name one in docker_image")
        record = chosen.plan(order)
        self.reserve(record)
        return record

    def enforcement(self, record: Record) -> dict[str, str]:
        """For each limit of a workload, who enforces it."""
        return self._of(record).enforcement(record)

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
