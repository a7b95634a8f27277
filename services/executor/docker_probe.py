"""What the engine of this machine can do, and whether agents may be entrusted to it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from services.contracts.agents import IsolationLevel
from services.executor.docker_engine import Engine
from services.executor.driver import DriverFacts
from services.executor.isolation import AVAILABLE

PROBE_SECONDS = 5.0
OLDEST_API = (1, 41)
ONLY_CONTAINERS = "only with namespaces: an image runs in a container"


class EngineUnfit(Exception):
    """There is no engine here, or none that strangers' code may be entrusted to."""


@dataclass(frozen=True)
class Probed:
    """What the engine said."""

    facts: DriverFacts
    swap_limited: bool


def probe(engine: Engine) -> Probed:
    """Ask the engine; raises `EngineUnfit` with what is missing."""
    if os.geteuid() != 0:
        raise EngineUnfit("reaching into a container's network takes root")
    try:
        version = engine.ask("GET", "/version", None, PROBE_SECONDS)
        facts = engine.ask("GET", "/info", None, PROBE_SECONDS)
    except OSError as error:
        raise EngineUnfit(str(error)) from error
    api = tuple(int(part) for part in version["ApiVersion"].split("."))
    if api < OLDEST_API:
        raise EngineUnfit(f"the engine speaks API {version['ApiVersion']}; 1.41 is the oldest that will do")
    if facts["OSType"] != "linux":
        raise EngineUnfit(f"the engine runs {facts['OSType']} containers")
    if not any(option.startswith("name=seccomp") for option in facts.get("SecurityOptions") or []):
        raise EngineUnfit("the engine has no seccomp, so an agent could make any system call")
    limits = {"memory": facts["MemoryLimit"], "cpu": facts["CpuCfsQuota"], "pids": facts["PidsLimit"]}
    described = (
        f"{version['Version']} ({facts['DefaultRuntime']}, {facts['Driver']}, "
        f"cgroup v{facts.get('CgroupVersion', '1')})"
    )
    levels = dict.fromkeys(IsolationLevel, ONLY_CONTAINERS) | {IsolationLevel.NAMESPACES: AVAILABLE}
    enforcement = {name: "cgroup" if limited else "advisory" for name, limited in limits.items()}
    made = DriverFacts("docker", [], {"docker": described}, levels, enforcement)
    return Probed(made, bool(facts["SwapLimit"]))


def containers(engine: Engine, label: str, value: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Name and labels of each container with a label, whether or not it runs."""
    found: list[dict[str, Any]] = engine.ask(
        "GET", "/containers/json", all=1, filters=f'{{"label": ["{label}={value}"]}}'
    )
    for one in found or []:
        yield one["Names"][0].lstrip("/"), one["Labels"]
