"""
CONNECT on a service's own port.

HTTP servers in ASGI answer requests; a proxy's CONNECT asks for the raw connection instead. This protocol
looks at the first bytes of each connection: a proxy request (`CONNECT host:port` or a request line with an
absolute URL, RFC 9112 §3.2) is handed to the service's tunnel with its reader and writer, everything else is
uvicorn's, which never learns of the difference.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from services.chassis.gathering import GatheringProtocol

Tunnel = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection from its first byte, and closes it."""

MOST_BUFFERED = 256 * 1024
_ABSOLUTE = (b" http://", b" HTTP://")
# The longest method a client of a proxy uses, and the space before its target.
_DECIDED = len(b"PROPFIND http://")


def protocol_with(tunnel: Tunnel) -> type[GatheringProtocol]:
    """A protocol for uvicorn that gives proxy requests to the tunnel."""

    class Tunnelling(GatheringProtocol):
        _held = b""
        _ours = False

        def data_received(self, data: bytes) -> None:
            if self._ours:
                super().data_received(data)
                return
            self._held += data
            verdict = is_proxy_request(self._held)
            if verdict is None:
                return
            held, self._held = self._held, b""
            if verdict:
                self._hand_over(held)
            else:
                self._ours = True
                super().data_received(held)

        def _hand_over(self, held: bytes) -> None:
            self.connections.discard(self)
            reader = asyncio.StreamReader(limit=MOST_BUFFERED)
            protocol = asyncio.StreamReaderProtocol(reader, self._serve)
            self.transport.set_protocol(protocol)
            protocol.connection_made(self.transport)
            protocol.data_received(held)

        def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
            return tunnel(reader, writer)

    return Tunnelling


def is_proxy_request(start: bytes) -> bool | None:
    """Whether a connection begins with a proxy's request; null while that cannot be known."""
    if start.startswith(b"CONNECT "):
        return True
    if len(start) < _DECIDED and b"\r\n" not in start and b" /" not in start:
        return None
    space = start.find(b" ")
    return space > 0 and start[space : space + len(_ABSOLUTE[0])] in _ABSOLUTE
