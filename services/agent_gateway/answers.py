"""
What answers a model call: an upstream or the scripted provider, both as status, headers and chunks.

`face.py` passes the chunks on untouched; the two ways of failing below become the caller's error.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field


class Unreachable(Exception):
    """The provider could not be reached or did not answer in time."""


class CutStream(Exception):
    """The provider broke off in the middle of its answer."""


@dataclass
class Answer:
    """A provider's answer while it arrives."""

    status: int
    content_type: str
    chunks: AsyncIterator[bytes]
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def streamed(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        return self.content_type.startswith("text/event-stream")
