"""Knobs of the executor."""

import os
import platform
import socket
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings
from services.contracts.agents import IsolationLevel

# What a build needs to find a registry; everything else of our environment stays ours.
BUILD_PREFIXES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")
BUILD_NAMES = frozenset(
    [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "NODE_EXTRA_CA_CERTS",
        "REQUESTS_CA_BUNDLE",
    ]
)
# A credential in a package manager's settings is the platform's, and a build runs a stranger's code.
BUILD_SECRETS = ("password", "token", "_auth", "username", "secret")


class ExecutorSettings(ServiceSettings):
    """How this node runs agents; times are seconds, sizes bytes."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_EXECUTOR_", extra="ignore", env_ignore_empty=True
    )

    directory: Path | None = Field(None, description="state; default is `node` below AGENTPLANE_DATA_DIR")
    node_name: str = Field(default_factory=socket.gethostname)
    region: str = "local"
    zone: str = "a"
    labels: dict[str, str] = Field(default_factory=lambda: {"arch": platform.machine()})
    url: str | None = Field(None, description="where orders reach this executor; default is its own port")

    process_driver: Literal["auto", "on", "off"] = Field(
        "auto",
        description="run agents as processes; `auto`: only in local mode, where AGENTPLANE_DATA_DIR is set",
    )
    docker_driver: Literal["auto", "on", "off"] = Field(
        "auto", description="run images as containers; `auto`: where an engine answers and we are root"
    )
    docker_socket: Path = Path("/var/run/docker.sock")
    docker_pull_seconds: float = Field(900.0, gt=0, description="longest time an image may take to pull")
    docker_seccomp: Path | None = Field(None, description="seccomp profile; unset: the built-in one")
    isolation: IsolationLevel | None = Field(
        None, description="strongest level to use; unset: the best there is"
    )
    uid_base: int | None = Field(None, ge=1000, description="first of the user ids agents run as, when root")
    uid_count: int = Field(65_536, ge=2)
    watchdog: bool = Field(True, description="sample agents where control groups cannot limit them")
    cgroups: bool = Field(True, description="use control groups where they can be written")
    max_processes: int = Field(512, ge=8, description="processes of one agent")
    max_instances: int = Field(2_000, ge=1)
    port_base: int = Field(30_000, ge=1024, le=65_000, description="first host port given to agents")
    port_count: int = Field(2_700, ge=1)

    gateway: str | None = Field(None, description="tcp:HOST:PORT or unix:PATH; default is the gateway's port")
    otel_endpoint: str | None = Field(None, description="OTLP endpoint agents are told of, when one listens")

    probe_seconds: float = Field(5.0, gt=0)
    probe_timeout: float = Field(3.0, gt=0)
    token_seconds: float = Field(600.0, gt=0, le=900, description="between rotations of an agent's token")
    build_scripts: bool = Field(
        False,
        description="let packages run code of their own while they are installed, with the node's network",
    )
    build_seconds: int = Field(600, ge=1, description="longest time a bundle's environment may take to build")


def build_environment() -> dict[str, str]:
    """What of this process's environment a build may see: how to reach the package registries."""
    return {
        name: value
        for name, value in os.environ.items()
        if (name in BUILD_NAMES or name.startswith(BUILD_PREFIXES))
        and not any(part in name.lower() for part in BUILD_SECRETS)
    }


def search_path() -> str:
    """Where this process finds programs."""
    return os.environ.get("PATH", os.defpath)
