"""
Frames, and the bounded queue of one connection.

A frame is encoded once for each event, whoever receives it. A page that falls behind first loses the states
that a later one in the queue replaces; when that does not help, it is too slow and must start anew.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import Field, ValidationError

from services.chassis.contract import Request
from services.chassis.errors import Invalid
from services.chassis.frames import text_frame
from services.contracts.live import Channel, FeedEntry, UiUpdated
from services.contracts.log_processor import LogsAppended


@dataclass(slots=True)
class Frame:
    """One message to a page; a later one of the same `replaces` makes it superfluous."""

    text: str
    seq: int = 0
    replaces: Hashable = None
    _bytes: bytes = b""

    @property
    def bytes(self) -> bytes:
        """The message as it goes over the wire, made once for all pages."""
        if not self._bytes:
            self._bytes = text_frame(self.text)
        return self._bytes


class Operation(Request):
    """What a page asks on its connection."""

    op: Literal["subscribe", "unsubscribe", "ping"]
    channel: Channel | None = None
    agent_id: UUID | None = None
    after_seq: int | None = Field(None, ge=0, lt=2**63)


def operation_of(text: str) -> Operation:
    """The operation in a message of a page."""
    try:
        operation = Operation.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Invalid(f"/{'/'.join(map(str, first['loc']))}: {first['msg']}") from error
    if operation.channel is None and operation.op != "ping":
        raise Invalid(f"/channel: {operation.op} needs a channel")
    return operation


def update_frame(update: UiUpdated) -> Frame:
    """A live change."""
    return entry_frame(update.data.channel, update.data.entry)


def entry_frame(channel: Channel, entry: FeedEntry) -> Frame:
    """A line of the feed."""
    data = entry.model_dump_json()
    kind = entry.type.partition(".")[0]
    state = entry.type == "agent.state_changed" or kind == "instance"
    replaces = (kind, entry.subject_id) if channel == "agents" and state else None
    head = _head(channel, entry.seq, entry.type)
    return Frame(f'{head},"data":{data}}}', entry.seq, replaces)


def lines_frame(event: LogsAppended) -> Frame:
    """Log lines that were just stored."""
    return Frame(f'{_head("logs", event.seq, event.type)},"data":{event.data.model_dump_json()}}}', event.seq)


def control_frame(kind: str, channel: str | None = None, seq: int = 0, data: Any = None) -> Frame:
    """An answer of the gateway itself: subscribed, unsubscribed, reset, pong, error."""
    encoded = orjson.dumps({"channel": channel, "seq": seq, "type": kind, "data": data})
    return Frame(encoded.decode())


def _head(channel: str, seq: int, kind: str) -> str:
    return orjson.dumps({"channel": channel, "seq": seq, "type": kind}).decode()[:-1]


class FrameQueue:
    """What waits to be sent on one connection, within bounds."""

    def __init__(self, most_frames: int, most_bytes: int) -> None:
        self._frames: deque[Frame] = deque()
        self._most_frames = most_frames
        self._most_bytes = most_bytes
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def offer(self, frame: Frame) -> bool:
        """Queue a frame; false when the bounds are reached and nothing can be left out."""
        self._frames.append(frame)
        self._bytes += len(frame.text)
        if self._within():
            return True
        self._leave_out_replaced()
        return self._within()

    def take(self) -> Frame | None:
        """The next frame to send."""
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame.text)
        return frame

    def _within(self) -> bool:
        return len(self._frames) <= self._most_frames and self._bytes <= self._most_bytes

    def _leave_out_replaced(self) -> None:
        seen: set[Hashable] = set()
        kept: deque[Frame] = deque()
        for frame in reversed(self._frames):
            if frame.replaces is not None:
                if frame.replaces in seen:
                    continue
                seen.add(frame.replaces)
            kept.appendleft(frame)
        self._frames = kept
        self._bytes = sum(len(frame.text) for frame in kept)
