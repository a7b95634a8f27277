"""What `agentplane doctor` says of a machine's container engine."""

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.embedded.diagnosis import Finding, _container_engine

SOCKET = "AGENTPLANE_EXECUTOR_DOCKER_SOCKET"


def found(root: Path) -> Finding:
    return _container_engine(cast(Any, SimpleNamespace(root=root)))


@pytest.mark.parametrize(
    ("answer", "says"), [(b"200 OK", "one answers"), (b"500 Oops", "does not answer as one")]
)
def test_an_engine_is_asked_whether_it_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, says: str
) -> None:
    path = tmp_path / "engine.sock"
    monkeypatch.setenv(SOCKET, str(path))

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.0 " + answer + b"\r\n\r\n")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        serving = threading.Thread(target=serve, args=(listener,))
        serving.start()
        said = found(tmp_path)
        serving.join()
    assert says in said.text


def test_without_an_engine_it_says_what_cannot_be_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SOCKET, str(tmp_path / "nothing.sock"))
    said = found(tmp_path)
    assert said.level == "warn" and "only agent-runtime:latest can be deployed" in said.text and said.fix
    monkeypatch.setenv("AGENTPLANE_EXECUTOR_DOCKER_DRIVER", "off")
    assert found(tmp_path).level == "ok"
