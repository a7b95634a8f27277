"""
The launch plan: all that a shim needs to start one process, written by the executor and read once.

The shim is one small interpreter per instance, so what it imports is kept to C modules and this package:
no `json`, `typing`, `signal` or `socket`, which alone would double its start-up time and memory.
"""

from __future__ import annotations

import marshal


class Plan:
    """How one process is started, limited, reached and watched; times are seconds, sizes bytes."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdin: str | None = None
    level: str = "none"
    uid: int = -1  # -1: stay who the executor is
    gid: int = -1
    user_namespace: bool = False
    private_network: bool = False
    hostname: str = "agent"
    root_dir: str = ""  # an empty directory; the agent's file system is mounted over it
    binds: list[tuple[str, str, bool]]  # source, target, writable
    links: list[tuple[str, str]]  # path inside, what it points at
    files: list[tuple[str, str]]  # path inside, content
    forwards: list[tuple[int, str]]  # port inside -> "tcp:HOST:PORT" or "unix:PATH" outside
    inbound: tuple[int, int] | None = None  # port outside on 127.0.0.1 -> port inside
    cgroups: list[tuple[str, str]]  # kind (v1 controller or "v2"), directory
    memory_bytes: int = 0  # watched by the shim when no cgroup does it; 0: not
    cpu_cores: float = 0.0  # the same
    max_processes: int = 0  # the same
    temporary_bytes: int = 256 * 1024**2
    deadline: float = 0.0  # wall clock; 0: none
    lease_file: str = ""  # singletons: the node's lease, without which the shim stops and kills
    segment_bytes: int = 4 * 1024**2
    segments: int = 5

    def __init__(self, argv: list[str], env: dict[str, str], cwd: str) -> None:
        self.argv, self.env, self.cwd = argv, env, cwd
        self.binds, self.links, self.files, self.forwards, self.cgroups = [], [], [], [], []

    def dump(self) -> bytes:
        """The plan as bytes for the same interpreter."""
        return marshal.dumps({name: getattr(self, name) for name in Plan.__annotations__})

    @staticmethod
    def load(data: bytes) -> Plan:
        """The plan that `dump` wrote."""
        fields = marshal.loads(data)  # noqa: S302 - our own file, which only the executor's user can write
        plan = Plan(fields["argv"], fields["env"], fields["cwd"])
        for name, value in fields.items():
            setattr(plan, name, value)
        return plan
