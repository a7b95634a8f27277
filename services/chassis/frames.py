"""
Sending one message to very many WebSockets.

ASGI sends a text to one connection at a time, and each time it is encoded and framed anew. A message that a
thousand pages get is framed once (`text_frame`) and written to each as it is (`writer_of`).
"""

from collections.abc import Callable
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

WriteFrame = Callable[[bytes], bool]
"""Writes a whole frame at once; false when it cannot: the other side does not keep up, or is gone."""

_EXTENSION = "agentplane.write_frame"


def text_frame(text: str) -> bytes:
    """The text as a frame of a server: whole, not compressed, not masked."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def writer_of(scope: Scope) -> WriteFrame | None:
    """How to write frames to this connection, where the server can."""
    write: WriteFrame | None = scope.get("extensions", {}).get(_EXTENSION)
    return write


class FrameProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which lets applications write frames themselves."""

    async def run_asgi(self) -> None:
        """Serve the connection."""
        extensions: dict[str, Any] = self.scope["extensions"]
        # A frame that was made for all cannot be compressed with the state of one connection.
        if not self.conn.extensions:
            extensions[_EXTENSION] = self.write_frame
        await super().run_asgi()

    def write_frame(self, frame: bytes) -> bool:
        """Write at once, unless somebody has to wait first."""
        if not self.writable.is_set() or self.close_sent or self.disconnected or self.transport.is_closing():
            return False
        self.transport.write(frame)
        return True
