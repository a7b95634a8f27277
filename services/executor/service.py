"""Declaration of the executor."""

from pathlib import Path

from services.chassis.errors import Unavailable
from services.chassis.resources import Resources
from services.chassis.service import Service, every
from services.contracts.agent_gateway import AgentGatewayClient
from services.contracts.backend import BackendClient
from services.contracts.catalog import entry
from services.contracts.log_processor import LogProcessorClient
from services.contracts.node_manager import NodeManagerClient
from services.executor.docker_driver import DockerDriver
from services.executor.held import Wakes
from services.executor.logic import Executor
from services.executor.node_drivers import NodeDrivers
from services.executor.node_state import NodeState
from services.executor.process_driver import ProcessDriver
from services.executor.registration import Registration
from services.executor.routes import router
from services.executor.settings import ExecutorSettings
from services.executor.supervision import Supervision
from services.executor.telling import Telling
from services.executor.tombstones import Tombstones
from services.executor.workload import Workloads

NAME = "executor"


def build(resources: Resources) -> Executor:
    """The executor of this node, with its state below one directory."""
    settings = resources.settings(ExecutorSettings)
    directory = _directory(resources, settings)
    state = NodeState(directory)
    gateway = resources.client(AgentGatewayClient)
    nodes = resources.client(NodeManagerClient)
    port = entry("agent-gateway").port + resources.platform.port_base
    way = settings.gateway or f"tcp:127.0.0.1:{port}"
    driver = _drivers(resources, settings, directory, way)
    wakes = Wakes()
    supervision = Supervision(driver, gateway, settings, resources.clock, wakes)
    url = settings.url or resources.platform.url_of(NAME, entry(NAME).port)
    return Executor(
        driver=driver,
        workloads=Workloads(directory / "instances"),
        tombstones=Tombstones(directory / "ended.log"),
        state=state,
        registration=Registration(nodes, state, settings, directory, url),
        supervision=supervision,
        telling=Telling(
            driver, gateway, resources.client(LogProcessorClient), supervision, settings, resources.clock
        ),
        nodes=nodes,
        settings=settings,
        clock=resources.clock,
        wakes=wakes,
    )


def _drivers(resources: Resources, settings: ExecutorSettings, directory: Path, gateway: str) -> NodeDrivers:
    fetch = resources.client(BackendClient).bundle
    return NodeDrivers(
        ProcessDriver(directory, settings, gateway, fetch),
        DockerDriver(directory, settings, gateway, fetch),
        processes=_runs_processes(resources, settings),
        containers=_runs_containers(settings),
        required=settings.docker_driver == "on",
    )


def _runs_processes(resources: Resources, settings: ExecutorSettings) -> bool:
    auto = settings.process_driver == "auto" and resources.platform.data_dir is not None
    return auto or settings.process_driver == "on"


def _runs_containers(settings: ExecutorSettings) -> bool:
    auto = settings.docker_driver == "auto" and settings.docker_socket.exists()
    return auto or settings.docker_driver == "on"


def _directory(resources: Resources, settings: ExecutorSettings) -> Path:
    if not (_runs_processes(resources, settings) or _runs_containers(settings)):
        raise Unavailable(
            "agents as processes are for local mode; AGENTPLANE_EXECUTOR_PROCESS_DRIVER=on allows them here, "
            "and AGENTPLANE_EXECUTOR_DOCKER_DRIVER=on runs images in containers"
        )
    if settings.directory is None and resources.platform.data_dir is None:
        raise Unavailable("the executor needs AGENTPLANE_EXECUTOR_DIRECTORY or AGENTPLANE_DATA_DIR")
    directory = settings.directory or Path(str(resources.platform.data_dir)) / "node"
    if not directory.exists():
        directory.mkdir(parents=True)
        # Agents pass through to their own files below; what is the platform's is closed one by one.
        directory.chmod(0o711)
    return directory


service = Service(
    name=NAME,
    build=build,
    routes=[router],
    loops=[
        every(5, Executor.report, woken_by=lambda executor: executor.wakes.changed),
        every(5, Executor.renew),
        every(1, Executor.ship_logs),
        every(1, Executor.tell_ends, woken_by=lambda executor: executor.wakes.ended),
        every(20, Executor.rotate_tokens),
    ],
    roles=(),
    uses_bus=False,
    start=Executor.start,
    stop=Executor.stop,
)
