"""A port in use is refused before anything starts, and its holder is named."""

import os
import socket

import pytest

from services.embedded.faults import PortInUse
from services.embedded.ports import holder, is_free, refuse_taken_ports
from services.embedded.testing import free_port


def test_the_holder_of_a_port_is_named_with_pid_and_command() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert f"pid {os.getpid()} (" in holder(port)
        with pytest.raises(PortInUse) as refusal:
            refuse_taken_ports("127.0.0.1", {port: "backend", free_port(): "executor"})
    assert f"port {port} (backend) is in use by pid {os.getpid()}" in str(refusal.value)
    assert "AGENTPLANE_PORT_BASE" in str(refusal.value)
    assert "executor" not in str(refusal.value)


def test_a_port_that_was_just_given_up_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = listener.accept()
            # Closed first by the server, as after a crash: the kernel keeps the pair in TIME_WAIT.
            accepted.close()
    assert is_free("127.0.0.1", port)
