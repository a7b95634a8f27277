"""
How a container is made: the body of the engine's create call, hardened, and the check that it was obeyed.

The container gets no network but its own loopback; its shim is the only way in and out.
"""

from dataclasses import dataclass
from typing import Any

from services.contracts.agent_gateway import VirtualKey
from services.contracts.agents import AgentMode
from services.executor.docker_engine import EngineError
from services.executor.environment import Places, variables
from services.executor.workload import Workload

USER = 65_532
PORT_INSIDE = 8_080
WORK_INSIDE, TOLD_INSIDE = "/agentplane", "/run/agentplane"
PROCESSES = 128
OPEN_FILES = 4_096
TEMPORARY_BYTES = 64 * 1024**2
LOG_FILES, LOG_SIZE = "3", "8m"
USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DIRECTORY, RUN, ORG, AGENT, IMAGE = (
    f"agentplane.{name}" for name in ("directory", "run", "org", "agent", "image")
)
# Where an engine may give less than was asked for without saying so.
CHECKED = (
    *(
        "Privileged",
        "ReadonlyRootfs",
        "CapDrop",
        "CapAdd",
        "SecurityOpt",
        "PidsLimit",
        "Memory",
        "MemorySwap",
    ),
    *("NanoCpus", "NetworkMode", "IpcMode", "PidMode", "Init", "Devices", "CgroupnsMode"),
)


@dataclass(frozen=True)
class Image:
    """An image as the engine has it: its id never changes, whatever its name points at later."""

    name: str
    id: str
    digest: str | None
    path: str
    workdir: str
    volumes: tuple[str, ...]


def name_of(workload: Workload) -> str:
    """The container's name: one for each incarnation, so that it can be made only once."""
    return f"ap-{workload.order.instance_id}-{workload.order.incarnation}"


def places(image: Image, gateway_port: int) -> Places:
    """Where the agent finds what it is told of."""
    return Places(
        url=f"http://127.0.0.1:{gateway_port}",
        port=PORT_INSIDE,
        home=WORK_INSIDE,
        token_file=f"{TOLD_INSIDE}/token",
        input_file=f"{TOLD_INSIDE}/input.json",
        path=image.path,
    )


def body(
    workload: Workload,
    image: Image,
    key: VirtualKey,
    gateway_port: int,
    directory: str,
    seccomp: str,
    otel_endpoint: str | None,
) -> dict[str, Any]:
    """What the engine is asked to make."""
    order = workload.order
    environment = variables(order, key, places(image, gateway_port), otel_endpoint)
    job = order.spec.mode is AgentMode.JOB
    made: dict[str, Any] = {
        "Image": image.id,
        "User": f"{USER}:{USER}",
        "Hostname": order.agent_name[:63],
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": {
            DIRECTORY: directory,
            RUN: str(order.run_id),
            ORG: str(order.org_id),
            AGENT: str(order.agent_id),
            IMAGE: f"{image.name}@{image.digest or image.id}",
        },
        # The platform probes agents itself; a check of the image's would only use its limits.
        "Healthcheck": {"Test": ["NONE"]},
        "OpenStdin": job,
        "StdinOnce": job,
        "HostConfig": host_config(workload, image, seccomp),
    }
    if image.workdir in {"", "/"}:
        made["WorkingDir"] = WORK_INSIDE
    if order.spec.command:
        made["Entrypoint"], made["Cmd"] = list(order.spec.command), []
    return made


def host_config(workload: Workload, image: Image, seccomp: str) -> dict[str, Any]:
    """The walls and limits."""
    spec = workload.order.spec
    return {
        "Privileged": False,
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "CapAdd": [],
        "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp}"],
        "NetworkMode": "none",
        "IpcMode": "private",
        "PidMode": "",
        "CgroupnsMode": "private",
        "Devices": [],
        "Init": True,
        "PidsLimit": PROCESSES,
        "Memory": spec.memory_limit_bytes,
        "MemorySwap": spec.memory_limit_bytes,
        "NanoCpus": int(spec.cpu_limit * 1e9),
        "Ulimits": [
            {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "Tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size={TEMPORARY_BYTES},mode=1777"},  # noqa: S108 - its own
        "Mounts": [
            _bind(str(workload.work), WORK_INSIDE, read_only=False),
            _bind(str(workload.told), TOLD_INSIDE, read_only=True),
            *(_emptied(path) for path in image.volumes if path != "/tmp"),  # noqa: S108 - see above
        ],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": LOG_SIZE, "max-file": LOG_FILES}},
        "RestartPolicy": {"Name": "no"},
    }


def _bind(source: str, target: str, *, read_only: bool) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only}


def _emptied(path: str) -> dict[str, Any]:
    # A volume that an image declares would be a disk without a limit, and outlive the container.
    return {
        "Type": "tmpfs",
        "Target": path,
        "TmpfsOptions": {"SizeBytes": TEMPORARY_BYTES, "Mode": 0o1777},
    }


def check(inspected: dict[str, Any], wanted: dict[str, Any], *, swap_limited: bool) -> None:
    """Refuse a container that the engine made weaker than it was asked to."""
    got = inspected["HostConfig"]
    for name in CHECKED:
        if name == "MemorySwap" and not swap_limited:
            continue
        if (got.get(name) or None) != (wanted[name] or None):
            raise EngineError(
                0, f"the engine made the container with {name} {got.get(name)!r}, not {wanted[name]!r}"
            )
