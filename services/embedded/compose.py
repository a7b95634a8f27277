"""
Compose mode: every service in a container of its own, from one image.

What `docker-compose.yml` must be told of an installation is written to `.compose/` beside it: addresses with
passwords, hashes of all service keys (a container holds its own key only), and the knobs that `.env` sets.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.contracts.catalog import BACKEND, CALLERS, STATUS_TABLE
from services.embedded.credentials import StoreCredentials
from services.embedded.dashboard import DashboardBuild
from services.embedded.env_file import complete_env, read_env
from services.embedded.faults import LocalModeError
from services.embedded.node_runtime import WHEEL
from services.embedded.settings import SERVICE_KEY, key_variable

# Secrets and places, which each container gets by name or not at all; the rest of `.env` are knobs for all.
_NOT_KNOBS = (
    *("AGENTPLANE_ADMIN_", "AGENTPLANE_DATA_DIR", "AGENTPLANE_HOST", "AGENTPLANE_PORT_BASE", "DATABASE_"),
    *(
        "AGENTPLANE_JWT_SECRET_KEY",
        "AGENTPLANE_SECRETS_MASTER_KEY",
        "REDIS_URL",
        "NATS_URL",
        "OPENAI_API_KEY",
    ),
    *("ANTHROPIC_API_KEY", "EMBEDDING_API_KEY", "STRIPE_", SERVICE_KEY),
)


ADMINISTRATOR = ("AGENTPLANE_ADMIN_EMAIL", "AGENTPLANE_ADMIN_PASSWORD")
NODE_DIRECTORY = "/var/lib/agentplane/compose-node"
FRONTEND = next(entry for entry in STATUS_TABLE if entry.kind == "web")
AGENT_LABEL = "agentplane.directory"


class ComposeFailed(LocalModeError):
    """Docker or compose did not do what it was asked; the message holds what it said."""


class ComposePlatform:
    """The platform of one checkout as containers."""

    def __init__(self, root: Path, environment: Mapping[str, str], files: Sequence[Path] = ()) -> None:
        self.root = root
        self._environment = environment
        self._directory = root / ".compose"
        self._files = [root / "docker-compose.yml", *files]

    @property
    def api_port(self) -> int:
        """The port of this machine that leads to the API."""
        return self._port("BACKEND_PORT", BACKEND.port)

    @property
    def dashboard_port(self) -> int:
        """The port of this machine that leads to the dashboard."""
        return self._port("FRONTEND_PORT", FRONTEND.port)

    @property
    def administrator(self) -> dict[str, str]:
        """Who is to be the first administrator, as far as `.env` and the environment say."""
        told = {**self._variables, **self._environment}
        return {name: told.get(name, "") for name in ADMINISTRATOR}

    @property
    def _variables(self) -> dict[str, str]:
        return read_env(self.root / ".env")

    def _port(self, name: str, documented: int) -> int:
        shift = self._environment.get("AGENTPLANE_PORT_BASE") or self._variables.get("AGENTPLANE_PORT_BASE")
        return int(self._environment.get(name) or documented + int(shift or 0))

    def prepare(self) -> None:
        """Write what the compose file needs; passwords stay what they were."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        complete_env(self.root / ".env", self.root / ".env.example", {})
        variables = self._variables
        passwords = StoreCredentials.load_or_create(self._directory / "credentials.json")
        _write(self._directory / "compose.env", {
            **variables, **_addresses(passwords), **_hashes(variables),
            "BACKEND_PORT": str(self.api_port), "FRONTEND_PORT": str(self.dashboard_port),
        })  # fmt: skip
        knobs = {
            name: value for name, value in variables.items() if value and not name.startswith(_NOT_KNOBS)
        }
        _write(self._directory / "knobs.env", {**knobs, "CORS_ORIGINS": self._origins(knobs)})

    def _origins(self, knobs: Mapping[str, str]) -> str:
        """What `.env` names, and the dashboard: another server than the API, which must know it."""
        own = [f"http://{host}:{self.dashboard_port}" for host in ("localhost", "127.0.0.1")]
        return ",".join([*filter(None, knobs.get("CORS_ORIGINS", "").split(",")), *own])

    def build(self, base_image: str | None = None) -> None:
        """Build the image of the platform, of the demo agents and of the dashboard."""
        image = self._environment.get("AGENTPLANE_IMAGE", "agentplane:local")
        chosen = ["--build-arg", f"BASE_IMAGE={base_image}"] if base_image else []
        for dockerfile, name in (("services", image), ("agent_runtime", "agent-runtime:latest")):
            file = str(self.root / dockerfile / "Dockerfile")
            self._run(["docker", "build", "--quiet", *chosen, "--tag", name, "--file", file, str(self.root)])
        dashboard = DashboardBuild(self.root, "standalone")
        dashboard.run()
        chosen += ["--build-arg", f"NODE_WHEEL={WHEEL}"]
        name = self._environment.get("AGENTPLANE_FRONTEND_IMAGE", "agentplane-frontend:local")
        file = str(self.root / "frontend" / "Dockerfile")
        context = str(dashboard.directory)
        self._run(["docker", "build", "--quiet", *chosen, "--tag", name, "--file", file, context])

    def up(self) -> None:
        """Start every container and return when all are healthy."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", "300", "--remove-orphans")

    def down(self, *, volumes: bool = False) -> None:
        """Stop and remove every container; the data stays unless its volumes are to go too."""
        self.compose("down", "--timeout", "30", *(["--volumes"] if volumes else []))
        # Agents' containers are no services of the compose file, and outlive their executor so that it can
        # be replaced; here nobody will.
        label = f"label={AGENT_LABEL}={self._environment.get('AGENTPLANE_NODE_DIRECTORY', NODE_DIRECTORY)}"
        left = self._run(["docker", "ps", "--all", "--quiet", "--filter", label]).split()
        if left:
            self._run(["docker", "rm", "--force", *left])

    def create_administrator(self) -> str:
        """Make the first administrator, in a container that ends; returns what the command printed."""
        # By name only: the value goes through the environment, and stands on no command line.
        told = [f"--env={name}" for name, value in self.administrator.items() if value]
        return self.compose("run", "--rm", "--no-deps", "-T", *told, "backend", "create-admin")

    def compose(self, *arguments: str) -> str:
        """Ask `docker compose`, and return what it printed."""
        named = [f"--file={file}" for file in self._files]
        told = ["--env-file", str(self._directory / "compose.env"), "--project-directory", str(self.root)]
        return self._run(["docker", "compose", "--progress", "quiet", *named, *told, *arguments])

    def _run(self, command: Sequence[str]) -> str:
        if shutil.which(command[0]) is None:
            raise ComposeFailed("docker is not on the PATH; compose mode needs Docker and Compose v2")
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            command,
            check=False,
            capture_output=True,
            text=True,
            env={**self._environment, **{name: value for name, value in self.administrator.items() if value}},
        )
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-20:]
            raise ComposeFailed(f"{' '.join(command[:2])} failed:\n" + "\n".join(last))
        return done.stdout


def _addresses(passwords: StoreCredentials) -> dict[str, str]:
    def database(role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@postgres:5432/agentdb"

    return {
        "POSTGRES_PASSWORD": passwords.postgres_superuser,
        "POSTGRES_OWNER_PASSWORD": passwords.postgres_owner,
        "REDIS_PASSWORD": passwords.redis,
        "NATS_PASSWORD": passwords.nats,
        "DATABASE_OWNER_URL": database("agentplane_owner", passwords.postgres_owner),
        "DATABASE_APP_URL": database("agentplane_app", passwords.postgres_app),
        "DATABASE_SYSTEM_URL": database("agentplane_system", passwords.postgres_system),
        "REDIS_URL": f"redis://:{passwords.redis}@redis:6379/0",
        "NATS_URL": f"nats://agentplane:{passwords.nats}@nats:4222",
    }


def _hashes(variables: Mapping[str, str]) -> dict[str, str]:
    keys = {caller: variables.get(key_variable(caller), "") for caller in CALLERS}
    pairs = [f"{caller}={hashlib.sha256(key.encode()).hexdigest()}" for caller, key in keys.items() if key]
    return {"AGENTPLANE_ACCEPTED_SERVICE_KEYS": ",".join(pairs)}


def _write(path: Path, variables: Mapping[str, str]) -> None:
    staging = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        # In single quotes, so that compose puts nothing in place of a dollar sign.
        file.writelines(f"{name}='{value}'\n" for name, value in variables.items() if "'" not in value)
    staging.replace(path)
