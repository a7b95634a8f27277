"""Faults for drills: each breaks a real part of a running platform once, and says what it did."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable

import psutil

from tests.flows.ledger import processes_of
from tests.flows.live import LivePlatform

Fault = Callable[[], str]

# The same faults in the same order for the same seed; a failed drill prints it.
SEED = int(os.environ.get("AGENTPLANE_DRILL_SEED", str(time.time_ns() % 100_000)))


def kill_process(platform: LivePlatform, process: str) -> Fault:
    """`kill -9` one of the processes of the platform, or a store."""

    def fault() -> str:
        return f"killed {process} (pid {platform.kill(process)})"

    return fault


def kill_agent(agent_id: str, chance: random.Random) -> Fault:
    """`kill -9` one process of the agent."""

    def fault() -> str:
        running = processes_of(agent_id)
        if not running:
            return "no process of the agent runs"
        victim = chance.choice(running)
        for child in [*victim.children(recursive=True), victim]:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                continue
        return f"killed the agent (pid {victim.pid})"

    return fault


def wipe_nats(platform: LivePlatform) -> Fault:
    """Kill NATS and delete its whole store."""

    def fault() -> str:
        store = platform.data / "nats"
        pid = platform.kill("nats")
        for path in store.rglob("jetstream"):
            shutil.rmtree(path, ignore_errors=True)
        return f"killed NATS (pid {pid}) and deleted its store"

    return fault


def flush_redis(platform: LivePlatform) -> Fault:
    """Kill Redis and delete what it kept."""

    def fault() -> str:
        pid = platform.kill("redis")
        for path in (platform.data / "redis").rglob("*"):
            if path.is_file() and path.suffix in {".aof", ".rdb"}:
                path.unlink(missing_ok=True)
        return f"killed Redis (pid {pid}) and deleted its data"

    return fault


def restart_postgres(platform: LivePlatform) -> Fault:
    """Stop PostgreSQL the fast way; the supervisor starts it again."""

    def fault() -> str:
        pid = platform.pid_of("postgres")
        os.kill(pid, signal.SIGINT)
        return f"stopped PostgreSQL (pid {pid})"

    return fault


def silence_node(platform: LivePlatform, seconds: float) -> Fault:
    """Stop the node's process without killing it, and let it go on later."""

    def fault() -> str:
        pid = platform.pid_of("node")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
        return f"kept the node silent for {seconds} s"

    return fault
