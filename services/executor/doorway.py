"""The ways in and out of one agent: which listeners there are, and what they are joined with."""

from __future__ import annotations

import _socket
import select

from services.executor import forwarder
from services.executor.plan import Plan

SPARE_SOCKETS = 4


class Doorway:
    """Accepts on both sides of a network namespace and hands the pairs to the relay."""

    def __init__(self, plan: Plan, epoll: select.epoll) -> None:
        self._plan, self._epoll = plan, epoll
        self._relay = forwarder.Relay(epoll)
        self._control: _socket.socket | None = None
        self._listeners: dict[int, tuple[_socket.socket, str]] = {}
        self._waiting: list[_socket.socket] = []
        self._spare: list[_socket.socket] = []
        self.patience, self.retry = self._relay.patience, self._relay.retry

    def open(self) -> None:
        """Listen on the host's loopback for the agent, if it is to be reached through here."""
        if self._plan.inbound and self._plan.private_network:
            self._listen(forwarder.listen(self._plan.inbound[0]), "")

    def opened_inside(self, listeners: list[_socket.socket]) -> None:
        """Take over the sockets that listen inside, one for each forward of the plan."""
        for listener, (_, target) in zip(listeners, self._plan.forwards, strict=True):
            listener.setblocking(False)
            self._listen(listener, target)

    def _listen(self, listener: _socket.socket, target: str) -> None:
        self._listeners[listener.fileno()] = (listener, target)
        self._epoll.register(listener.fileno(), select.EPOLLIN)

    def stock(self, control: _socket.socket) -> None:
        """Ask process 1 for a few sockets, so that a connection need not wait for one."""
        self._control = control
        if self._plan.inbound:
            for _ in range(SPARE_SOCKETS):
                control.send(b"S")

    def stocked(self, sockets: list[_socket.socket]) -> None:
        """Take sockets that were made inside."""
        self._spare.extend(sockets)
        self._join_waiting()

    def handles(self, descriptor: int, events: int) -> None:
        """Accept or move bytes on a descriptor that is ready."""
        if descriptor not in self._listeners:
            self._relay.handles(descriptor, events)
            return
        listener, target = self._listeners[descriptor]
        accepted = forwarder.accept(listener)
        if accepted is None:
            return
        if target:
            made, address = forwarder.outside(target)
            self._relay.join(accepted, made, address)
        else:
            self._waiting.append(accepted)
            self._join_waiting()

    def _join_waiting(self) -> None:
        while self._waiting and self._spare and self._plan.inbound and self._control:
            address = ("127.0.0.1", self._plan.inbound[1])
            self._relay.join(self._waiting.pop(0), self._spare.pop(), address)
            self._control.send(b"S")
