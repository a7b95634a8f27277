"""From a workload to a launch plan: its files laid out, its environment and its ways in and out written."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from services.contracts.agent_gateway import VirtualKey
from services.contracts.agents import IsolationLevel
from services.executor.bundle import entry_command
from services.executor.dependencies import Environment
from services.executor.environment import Places, mcp_servers, variables
from services.executor.images import BuiltInImage
from services.executor.interpreters import Interpreters
from services.executor.isolation import confine
from services.executor.plan import Plan
from services.executor.settings import ExecutorSettings
from services.executor.workload import Workload

WORK_INSIDE = "/agentplane"
TOLD_INSIDE = "/run/agentplane"
TOKEN, INPUT, MCP = "token", "input.json", "mcp.json"
LARGEST_TEMPORARY = 256 * 1024**2
LEASE = "lease"


@dataclass(frozen=True)
class Launching:
    """What every launch of this node needs."""

    settings: ExecutorSettings
    gateway: str
    interpreters: Interpreters
    image: BuiltInImage
    directory: Path

    @property
    def gateway_port(self) -> int:
        """The port at which agents find the gateway, on loopback: the documented one in every level."""
        return int(self.gateway.rpartition(":")[2]) if self.gateway.startswith("tcp:") else 8094


@dataclass(frozen=True)
class Launch:
    """One start of one workload."""

    workload: Workload
    key: VirtualKey
    node: Launching
    code: Path | None
    environment: Environment

    @property
    def isolated(self) -> bool:
        """Whether the agent has a file system of its own."""
        return self.workload.record.level is IsolationLevel.NAMESPACES

    @property
    def places(self) -> Places:
        """Where the agent finds things, as it sees them."""
        workload = self.workload
        told = TOLD_INSIDE if self.isolated else str(workload.told)
        home = WORK_INSIDE if self.isolated else str(workload.work)
        paths = [str(self.node.interpreters.tools), "/usr/local/bin", "/usr/bin", "/bin"]
        if self.environment.directory:
            inside = "node_modules/.bin" if self.environment.node_modules else "bin"
            paths.insert(0, str(self.environment.directory / inside))
        return Places(
            url=f"http://127.0.0.1:{self.node.gateway_port}",
            port=workload.record.port,
            home=home,
            token_file=f"{told}/{TOKEN}",
            input_file=f"{told}/{INPUT}",
            path=":".join(paths),
            temporary="/tmp" if self.isolated else f"{home}/.tmp",  # noqa: S108 - the agent's own
        )

    def furnish(self) -> None:
        """Lay out the agent's directory: a private copy of its code, as an image's file system would be."""
        workload = self.workload
        work = workload.work
        if self.code is not None:
            shutil.copytree(self.code, work, dirs_exist_ok=True)
        if self.environment.directory and self.environment.node_modules:
            modules = work / "node_modules"
            if not modules.is_symlink():
                shutil.rmtree(modules, ignore_errors=True)
                modules.symlink_to(self.environment.directory / "node_modules")
        if not (work / MCP).exists():
            (work / MCP).write_text(mcp_servers(self.key, self.places))
        (work / ".tmp").mkdir(exist_ok=True)
        work.chmod(0o700)
        if workload.record.uid is not None:
            give_away(work, workload.record.uid)
        tell(workload, TOKEN, self.key.token)
        tell(workload, INPUT, json.dumps(workload.order.input))

    def plan(self) -> Plan:
        """All that the shim has to know."""
        workload, node = self.workload, self.node
        order, record, places = workload.order, workload.record, self.places
        command, extra = self._command()
        environment = {**variables(order, self.key, places, node.settings.otel_endpoint), **extra}
        plan = Plan(command, environment, places.home)
        confine(plan, record.level, workload.work, record.uid, order.agent_name)
        plan.stdin = str(workload.told / INPUT) if workload.is_job else None
        plan.temporary_bytes = min(LARGEST_TEMPORARY, order.spec.memory_limit_bytes)
        if workload.is_job and order.deadline_at is not None:
            plan.deadline = order.deadline_at.timestamp()
        if order.spec.singleton:
            plan.lease_file = str(node.directory / LEASE)
        if self.isolated:
            plan.binds.append((str(workload.told), TOLD_INSIDE, False))
            plan.binds += [(str(path), str(path), False) for path in self._readable_places()]
            plan.forwards.append((node.gateway_port, node.gateway))
            if not workload.is_job:
                plan.inbound = (record.port, record.port)
        return plan

    def _command(self) -> tuple[list[str], dict[str, str]]:
        spec = self.workload.order.spec
        extra: dict[str, str] = {}
        if self.code is None and spec.docker_image:
            extra["PYTHONPATH"] = str(self.node.image.path)
        elif self.environment.directory and not self.environment.node_modules:
            extra["VIRTUAL_ENV"] = str(self.environment.directory)
        if spec.command:
            return list(spec.command), extra
        if self.code is not None:
            return entry_command(self.code), extra
        return list(self.node.image.command), extra

    def _readable_places(self) -> list[Path]:
        places = list(self.node.interpreters.directories)
        if self.environment.directory:
            places.append(self.environment.directory)
        if self.workload.order.spec.docker_image:
            places.append(self.node.image.path)
        return places


def tell(workload: Workload, name: str, text: str) -> None:
    """Write a file that the agent may read and nobody else; a reader sees the old or the new whole."""
    aside = workload.told / f".{name}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        if workload.record.uid is not None:
            os.fchown(descriptor, -1, workload.record.uid)
            os.fchmod(descriptor, 0o640)
    aside.rename(workload.told / name)


def give_away(directory: Path, uid: int) -> None:
    """Make a directory and all in it a user's."""
    for place, _, names in os.walk(directory):
        for path in (place, *(f"{place}/{name}" for name in names)):
            os.lchown(path, uid, uid)
