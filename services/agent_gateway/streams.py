"""A provider's stream on its way to the agent: read, kept, and passed on event by event but for the last."""

from collections.abc import AsyncIterator

from services.agent_gateway.answers import CutStream
from services.agent_gateway.calls import Call
from services.agent_gateway.dialects.dialect import NOT_JSON, Dialect, Part
from services.agent_gateway.dialects.rewriting import note_removed
from services.agent_gateway.event_stream import batches_of
from services.chassis.clock import Clock
from services.contracts.agents import Cause


class Stream:
    """One stream of one call."""

    def __init__(self, call: Call, dialect: Dialect, clock: Clock, max_bytes: int) -> None:
        self._call = call
        self._reader = dialect.reader(bool((call.request_patch or {}).get("set", {}).get("stream_options")))
        self._clock = clock
        self._max_bytes = max_bytes
        self._held = b""
        self._size = 0
        call.outcome = self._reader.outcome

    async def passing(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes that may go out at once; raises `CutStream` when the provider breaks off."""
        async for batch in batches_of(chunks, self._max_bytes):
            self._call.first_byte_at = self._call.first_byte_at or self._clock.now()
            passed, broken = b"", False
            for block in batch:
                part = self._reader.take(block)
                if broken := part is Part.BROKEN:
                    break
                passed += self._kept(block, part)
            if passed:
                yield passed
            if broken:
                raise CutStream(self._reader.outcome.error or NOT_JSON)
            if self._size > self._max_bytes:
                raise CutStream(f"the provider's answer is larger than {self._max_bytes} bytes")

    def _kept(self, block: bytes, part: Part) -> bytes:
        """Keep an event, and return as much of it as goes out at once."""
        if part is Part.REMOVED:
            self._call.request_patch = note_removed(self._call.request_patch, self._size, block)
            return b""
        self._call.response.append(block)
        self._size += len(block)
        if part is Part.LAST or self._held:
            self._held += block
            return b""
        return block

    def end(self) -> bytes:
        """The bytes that were held back; notes on the call what the stream said."""
        self._call.outcome = outcome = self._reader.end()
        if outcome.error is not None:
            self._call.fail(Cause.LLM_UNAVAILABLE, outcome.error)
        return self._held
