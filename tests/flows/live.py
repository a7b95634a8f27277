"""A whole platform for tests, `agentplane up` in a directory of its own, and a stranger who uses it."""

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from services.contracts.catalog import ALL

CHECKOUT = Path(__file__).resolve().parents[2]
EMAIL = "admin@example.com"
T = TypeVar("T")


class LivePlatform:
    """One running platform; `settings` stand in its `.env`."""

    # The walks are the process driver's; whether an engine answers on this machine must not matter.
    docker_driver = "off"

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None) -> None:
        self.settings = settings or {}
        self.root = home / "checkout"
        self.data = home / "data"
        self.password = secrets.token_urlsafe(18)
        self.port_base, self._held = reserve_port_base()
        self.url = f"http://127.0.0.1:{8000 + self.port_base}"

    def prepare(self) -> None:
        """A checkout whose files are this one's, with an `.env` of its own."""
        self.root.mkdir(parents=True)
        for entry in CHECKOUT.iterdir():
            if entry.name not in {".env", ".git", ".ci"}:
                (self.root / entry.name).symlink_to(entry)
        if self.settings:
            env = self.root / ".env"
            env.touch(0o600)
            env.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))

    def command(self, *arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run `agentplane` as a person would."""
        return subprocess.run(
            [CHECKOUT / ".venv" / "bin" / "agentplane", *arguments],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def environment(self) -> dict[str, str]:
        """What the person's shell holds."""
        names = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {
            **kept,
            "AGENTPLANE_DATA_DIR": str(self.data),
            "AGENTPLANE_PORT_BASE": str(self.port_base),
            "AGENTPLANE_ADMIN_EMAIL": EMAIL,
            "AGENTPLANE_ADMIN_PASSWORD": self.password,
            "AGENTPLANE_URL": self.url,
            "XDG_CONFIG_HOME": str(self.data.parent / "config"),
            "AGENTPLANE_EXECUTOR_DOCKER_DRIVER": self.docker_driver,
            "AGENTPLANE_EGRESS_PRIVATE_ALLOW": f"127.0.0.1:{self.outside_port}",
            "AGENTPLANE_BACKEND_REQUESTS_PER_MINUTE": "1000000",
            # Twenty platforms of a test run must not each build it.
            "AGENTPLANE_DASHBOARD": "prebuilt",
            "CORS_ORIGINS": ",".join(
                f"http://127.0.0.1:{port}" for port in (self.standalone_port, self.wire_port)
            ),
            "NO_COLOR": "1",
        }

    def up(self) -> None:
        """Start it; fail with what the command said."""
        done = self.command("up")
        if done.returncode != 0:
            raise AssertionError(f"agentplane up failed\n{done.stdout}\n{done.stderr}\n{self.logs()}")

    def down(self) -> None:
        """Stop it."""
        self.command("down")

    def logs(self, lines: int = 40) -> str:
        """The ends of the processes' logs."""
        parts = []
        for path in sorted((self.data / "logs").glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-lines:]
            parts.append(f"== {path.name}\n" + "\n".join(tail))
        return "\n".join(parts)

    def pid_of(self, process: str) -> int:
        """The pid of a process, as the supervisor tells it; of one that died, once it is back."""

        def told() -> Any:
            status = json.loads((self.data / "run" / "status.json").read_text())
            return status["processes"][process]["pid"]

        # The more often it died, the longer it is left: half a minute at most.
        return int(until(told, 60, lambda: f"{process} is not started again"))

    def kill(self, process: str) -> int:
        """`kill -9` a process of the platform; returns the pid that died."""
        pid = self.pid_of(process)
        os.kill(pid, signal.SIGKILL)
        return pid

    def port(self, documented: int) -> int:
        """The port that stands for a documented one here."""
        return documented + self.port_base

    @property
    def standalone_port(self) -> int:
        """Where a test puts the dashboard's own server, whose origin the API then allows."""
        return self.port(3001)

    @property
    def wire_port(self) -> int:
        """Where a test puts a piece of network before the dashboard; its origin is allowed too."""
        return self.port(3002)

    @property
    def outside_port(self) -> int:
        """The one port of this machine that URLs of users may name: where tests put what is outside."""
        return self.port(9199)

    def stranger(self) -> "Stranger":
        """Somebody who logs in as the administrator."""
        return Stranger(self.url, EMAIL, self.password)


class Stranger:
    """A person with an HTTP client, who knows only the documentation."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60)
        answer = self.http.post("/api/v1/auth/login", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **query: Any) -> Any:
        """GET, expecting success."""
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def post(self, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """POST, expecting success."""
        answer = self.http.post(path, json=body, headers=dict(headers or {}))
        assert answer.status_code in {200, 201, 202}, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def deploy(self, name: str, **spec: Any) -> Any:
        """Create an agent and wait until it runs (a job: until it is known)."""
        body = {"name": name, "docker_image": "agent-runtime:latest", **spec}
        if "bundle" in spec:
            del body["docker_image"]
        agent = self.post("/api/v1/agents", body)
        if spec.get("mode") != "job":
            self.until_state(agent["id"], "running")
        return agent

    def until_state(self, agent_id: str, state: str, seconds: float = 90) -> Any:
        """Wait until the agent is in a state."""
        return until(
            lambda: _if(
                self.get(f"/api/v1/agents/{agent_id}"), lambda agent: agent["status"]["state"] == state
            ),
            seconds,
            lambda: f"agent is not {state}: {self.get(f'/api/v1/agents/{agent_id}')['status']}",
        )

    def run(self, agent_id: str, input_: Any, seconds: float = 60, **more: Any) -> Any:
        """Run an agent and wait for the end."""
        execution = self.post(f"/api/v1/agents/{agent_id}/executions", {"input": input_, **more})
        return self.finished(execution["id"], seconds)

    def finished(self, execution_id: str, seconds: float = 60) -> Any:
        """Wait until an execution is terminal."""
        terminal = {"succeeded", "failed", "cancelled", "expired"}
        return until(
            lambda: _if(
                self.get(f"/api/v1/executions/{execution_id}/wait", timeout_seconds=10),
                lambda execution: execution["status"] in terminal,
            ),
            seconds,
            lambda: f"execution does not end: {self.get(f'/api/v1/executions/{execution_id}')}",
        )


def until(look: Callable[[], T | None], seconds: float, otherwise: Callable[[], str]) -> T:
    """Look again and again until there is something, or fail saying why."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.05)
    raise AssertionError(otherwise())


def _if(value: Any, condition: Callable[[Any], bool]) -> Any:
    return value if condition(value) else None


# No documented port of another base lies there, as 9,200 did: 1,000 above the brain's, and bases are round.
HELD = 9_210


def reserve_port_base() -> tuple[int, socket.socket]:
    """
    An offset at which the documented ports are free, and what keeps others from choosing it too.

    All of them stay below the ports of agents (30,000) and of outgoing connections (32,768). The dashboard's
    and the API's lie 5,000 apart: two bases as far apart share a port, free until it is listened on.
    """
    bases = list(range(7_000, 12_000, 250))
    random.shuffle(bases)
    for base in bases:
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", base + HELD))
        except OSError:
            held.close()
            continue
        if all(_free(base + entry.port) for entry in ALL):
            return base, held
        held.close()
    raise AssertionError("no free range of ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def live_platform(home: Path, platform: LivePlatform | None = None) -> Iterator[LivePlatform]:
    """A platform for the time of a test; another kind of one when it is given."""
    platform = platform or LivePlatform(home)
    platform.prepare()
    try:
        platform.up()
        yield platform
    except BaseException:
        sys.stderr.write(platform.logs())
        raise
    finally:
        platform.down()
