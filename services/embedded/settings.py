"""What local mode is told: the `.env` file, over which the environment of the command wins."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from services.contracts.catalog import CALLERS, SERVICES, Process
from services.embedded.data_directory import DataDirectory
from services.embedded.env_file import read_env
from services.embedded.faults import LocalModeError

HIGHEST_PORT_BASE = 50_000
SERVICE_KEY = "AGENTPLANE_SERVICE_KEY_"

# Of the command's environment only these reach a platform process; everything else comes from `.env`.
INHERITED = (
    *("HOME", "LANG", "PATH", "TMPDIR", "USER"),
    *("SSL_CERT_DIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
# How to reach the package registries, for the environments that the executor builds.
REGISTRIES = ("PIP_", "UV_", "NPM_CONFIG_", "npm_config_")
FOR_STARTING_ONLY = (
    "AGENTPLANE_ADMIN_EMAIL",
    "AGENTPLANE_ADMIN_PASSWORD",
    "DATABASE_OWNER_URL",
    "DATABASE_URL",
)
# The node runs agents' code, so its process is told nothing that an agent must not learn.
TOLD_TO_THE_NODE = (
    "AGENTPLANE_EXECUTOR_",
    "AGENTPLANE_HOST",
    "AGENTPLANE_LOG_LEVEL",
    "AGENTPLANE_PORT_BASE",
    "AGENTPLANE_SERVICE_URL",
)


@dataclass(frozen=True)
class LocalSettings:
    """One local platform: the checkout that it runs from, and the variables that it was given."""

    root: Path
    variables: Mapping[str, str]
    inherited: Mapping[str, str]

    @classmethod
    def load(cls, root: Path, environment: Mapping[str, str] | None = None) -> LocalSettings:
        """Read `.env` under `root`; what the environment sets wins."""
        given = os.environ if environment is None else environment
        written = read_env(root / ".env")
        chosen = {
            name: value for name, value in given.items() if name in written or name.startswith("AGENTPLANE_")
        }
        variables = {name: value for name, value in {**written, **chosen}.items() if value}
        inherited = {
            name: value for name, value in given.items() if name in INHERITED or name.startswith(REGISTRIES)
        }
        return cls(root, variables, inherited)

    @property
    def data_directory(self) -> DataDirectory:
        """Where the data is."""
        return DataDirectory.from_environment({**self.inherited, **self.variables})

    @property
    def host(self) -> str:
        """The address that the services listen on."""
        return self.variables.get("AGENTPLANE_HOST", "127.0.0.1")

    @property
    def node_directory(self) -> Path:
        """Where the executor keeps its instances."""
        chosen = self.variables.get("AGENTPLANE_EXECUTOR_DIRECTORY")
        return Path(chosen) if chosen else self.data_directory.node

    @property
    def port_base(self) -> int:
        """What is added to every documented port."""
        text = self.variables.get("AGENTPLANE_PORT_BASE", "0")
        if not text.isdecimal() or int(text) > HIGHEST_PORT_BASE:
            raise LocalModeError(
                f"AGENTPLANE_PORT_BASE is a number from 0 to {HIGHEST_PORT_BASE}, not {text!r}"
            )
        return int(text)

    @property
    def dashboard(self) -> str:
        """`auto`: built beside the platform when it changed; `prebuilt`: served where it is built; `off`."""
        chosen = self.variables.get("AGENTPLANE_DASHBOARD", "auto")
        if chosen not in {"auto", "prebuilt", "off"}:
            raise LocalModeError(f"AGENTPLANE_DASHBOARD is auto, prebuilt or off, not {chosen!r}")
        return chosen if (self.root / "frontend" / "package-lock.json").is_file() else "off"

    def at(self, port_base: int) -> LocalSettings:
        """The same with all ports shifted otherwise."""
        return replace(self, variables={**self.variables, "AGENTPLANE_PORT_BASE": str(port_base)})

    def port(self, documented: int) -> int:
        """The port that stands for a documented one here."""
        return documented + self.port_base

    def process_environment(self, process: Process, stores: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of a platform process: its own service keys, and hashes of the others'."""
        if process == "node":
            told = {
                name: self.variables[name] for name in self.variables if name.startswith(TOLD_TO_THE_NODE)
            }
            stores = {}
        else:
            told = {name: self.variables[name] for name in self.variables if name not in FOR_STARTING_ONLY}
        keys = {caller: self.variables.get(key_variable(caller), "") for caller in CALLERS}
        own = {key_variable(caller): keys[caller] for caller in _callers_of(process) if keys[caller]}
        return {
            **self.inherited,
            **{name: value for name, value in told.items() if not name.startswith(SERVICE_KEY)},
            **own,
            **stores,
            "AGENTPLANE_ACCEPTED_SERVICE_KEYS": ",".join(f"{c}={_digest(k)}" for c, k in keys.items() if k),
            "AGENTPLANE_PROCESS": process,
            "AGENTPLANE_DATA_DIR": str(self.data_directory.root),
            "PYTHONUNBUFFERED": "1",
        }

    def command_environment(self, stores: Mapping[str, str]) -> dict[str, str]:
        """The environment of a one-time command such as the migrations, which may know everything."""
        return {
            **self.inherited,
            **self.variables,
            **stores,
            "AGENTPLANE_DATA_DIR": str(self.data_directory.root),
            "PYTHONUNBUFFERED": "1",
        }


def told(name: str) -> str:
    """A variable that must be set."""
    value = os.environ.get(name)
    if not value:
        raise LocalModeError(f"{name} is not set")
    return value


def replace_environment(environment: Mapping[str, str]) -> None:
    """Make this the whole environment of the process, which was forked from one that was told nothing."""
    os.environ.clear()
    os.environ.update(environment)


def key_variable(caller: str) -> str:
    """The variable that holds a caller's service key."""
    return SERVICE_KEY + caller.upper().replace("-", "_")


def _callers_of(process: Process) -> list[str]:
    services = [entry.name for entry in SERVICES if entry.process == process]
    return [*services, "backend"] if process == "control" else services


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
