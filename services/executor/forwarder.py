"""
Relaying TCP between the outside and a network namespace that has loopback only.

Outbound: sockets that listen inside (handed out by process 1) are accepted here and joined with the
gateway's unix socket or port. Inbound: a listener on the host's 127.0.0.1 is joined with sockets made
inside. A socket stays in the namespace it was made in, so one relay does for both directions.
"""

from __future__ import annotations

import _socket
import errno
import os
import select

IN, OUT, GONE = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR
CHUNK = 65_536
RETRY_SECONDS = 0.005
Address = tuple[str, int] | str


class Half:
    """One end of a joined pair: what its peer sent and it has not taken yet."""

    __slots__ = ("connecting", "ended", "events", "peer", "pending", "socket")

    def __init__(self, socket: _socket.socket, *, connecting: bool = False) -> None:
        self.socket = socket
        self.peer: Half = self
        self.pending = b""
        self.connecting = connecting
        self.ended = False  # this end has said all it will say
        self.events = 0


class Relay:
    """Joins pairs of sockets on an epoll that the shim's loop owns."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self._halves: dict[int, Half] = {}
        self._postponed: list[tuple[Half, Address]] = []

    def join(self, accepted: _socket.socket, made: _socket.socket, address: Address) -> None:
        """Connect `made` to `address` and relay between it and `accepted`."""
        near, far = Half(accepted), Half(made, connecting=True)
        near.peer, far.peer = far, near
        for half in (near, far):
            half.socket.setblocking(False)
            if half.socket.family == _socket.AF_INET:
                half.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
            self._halves[half.socket.fileno()] = half
        self._connect(far, address)

    def patience(self) -> float:
        """Seconds after which `retry` wants to be called; 0 when it does not."""
        return RETRY_SECONDS if self._postponed else 0.0

    def retry(self) -> None:
        """Connect what a full queue of the other side turned away a moment ago."""
        postponed, self._postponed = self._postponed, []
        for far, address in postponed:
            if far.socket.fileno() >= 0:
                self._connect(far, address)

    def _connect(self, far: Half, address: Address) -> None:
        try:
            far.socket.connect(address)
            far.connecting = False
        except BlockingIOError as error:
            if error.errno != errno.EINPROGRESS:
                # A unix socket whose queue is full says EAGAIN and, unlike TCP, never calls back.
                self._postponed.append((far, address))
                return
        except OSError:
            self._close(far)
            return
        self._watch(far.peer)
        self._watch(far)

    def handles(self, descriptor: int, events: int) -> bool:
        """Move bytes for a descriptor of ours; False when it is not ours."""
        half = self._halves.get(descriptor)
        if half is None:
            return False
        try:
            self._turn(half, events)
        except BlockingIOError:
            pass
        except OSError:
            self._close(half)
        return True

    def _turn(self, half: Half, events: int) -> None:
        if half.connecting:
            if not events & (OUT | GONE):
                return
            if half.socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR):
                self._close(half)
                return
            half.connecting = False
        if half.pending and events & OUT:
            half.pending = half.pending[half.socket.send(half.pending) :]
        if events & (IN | GONE) and not half.ended and not half.peer.pending and not half.peer.connecting:
            self._read(half)
        self._settle(half)

    def _read(self, half: Half) -> None:
        data = half.socket.recv(CHUNK)
        peer = half.peer
        if not data:
            half.ended = True
            return
        try:
            peer.pending = data[peer.socket.send(data) :]
        except BlockingIOError:
            peer.pending = data

    def _settle(self, half: Half) -> None:
        peer = half.peer
        for one, other in ((half, peer), (peer, half)):
            if one.ended and not other.pending and not other.connecting:
                try:
                    other.socket.shutdown(_socket.SHUT_WR)
                except OSError:
                    other.ended = True
        if half.ended and peer.ended and not half.pending and not peer.pending:
            self._close(half)
            return
        self._watch(half)
        self._watch(peer)

    def _watch(self, half: Half) -> None:
        wanted = OUT if half.connecting or half.pending else 0
        if not half.ended and not half.peer.pending and not half.peer.connecting and not half.connecting:
            wanted |= IN
        descriptor = half.socket.fileno()
        if half.events == 0 and wanted:
            self._epoll.register(descriptor, wanted)
        elif half.events and not wanted:
            self._epoll.unregister(descriptor)
        elif half.events != wanted:
            self._epoll.modify(descriptor, wanted)
        half.events = wanted

    def _close(self, half: Half) -> None:
        for one in (half, half.peer):
            self._halves.pop(one.socket.fileno(), None)
            one.socket.close()


def accept(listener: _socket.socket) -> _socket.socket | None:
    """A new connection; None when there is none after all."""
    try:
        descriptor, _ = listener._accept()  # type: ignore[attr-defined]
    except (BlockingIOError, ConnectionAbortedError):
        return None
    os.set_inheritable(descriptor, False)
    return _socket.socket(fileno=descriptor)


def outside(target: str) -> tuple[_socket.socket, Address]:
    """A socket and the address for `tcp:HOST:PORT` or `unix:PATH`."""
    kind, _, rest = target.partition(":")
    flags = _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC
    if kind == "unix":
        return _socket.socket(_socket.AF_UNIX, flags), rest
    host, _, port = rest.rpartition(":")
    return _socket.socket(_socket.AF_INET, flags), (host, int(port))


def listen(port: int) -> _socket.socket:
    """A listener on the host's loopback."""
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    listener.setblocking(False)
    return listener
