"""Redis, run from the wheel's program: unix socket only, with a password, nothing on disk.

Redis makes reads cheap and is never the truth, so it starts empty and the owners fill it again.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from pathlib import Path

from services.embedded.binaries import StoreBinaries
from services.embedded.credentials import StoreCredentials
from services.embedded.data_directory import DataDirectory
from services.embedded.supervised import Supervised


class Redis(Supervised):
    """The cache server of local mode and of the tests."""

    def __init__(
        self, directory: DataDirectory, binaries: StoreBinaries, credentials: StoreCredentials
    ) -> None:
        super().__init__(
            name="redis", run_directory=directory.run, log_directory=directory.logs, owner=directory.owner
        )
        self._home = directory.store("redis")
        self._socket = directory.sockets / "redis.sock"
        self._binaries = binaries
        self._password = credentials.redis

    @property
    def url(self) -> str:
        """The address with its password."""
        return f"unix://:{self._password}@{self._socket}?db=0"

    def prepare(self) -> None:
        """Write the configuration; the password never stands on a command line."""
        assert self.owner
        self.owner.make_directory(self._home)
        lines = [
            "port 0",
            f"unixsocket {self._socket}",
            "unixsocketperm 700",
            f"requirepass {self._password}",
            f"dir {self._home}",
            'save ""',
            "appendonly no",
            "maxmemory 256mb",
            "maxmemory-policy volatile-lru",
        ]
        self.owner.write_private(self._home / "redis.conf", "\n".join(lines) + "\n")

    def command(self) -> Sequence[str | Path]:
        """The server with its configuration."""
        return [self._binaries.redis_server, self._home / "redis.conf"]

    def is_ready(self) -> bool:
        """Whether the server answers PING."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(self._socket))
            connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 2:
                received = connection.recv(64)
                if not received:
                    return False
                answer += received
            return answer == b"+OK\r\n+PONG\r\n"
        return False
