"""A provider's stream on its way to the agent: read, kept, and passed on event by event but for the last."""

from collections.abc import AsyncIterator

from services.agent_gateway.answers import CutStream
from services.agent_gateway.calls import Call
from services.agent_gateway.dialects.dialect import Dialect, Part
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
            if passed := b"".join([block for block in batch if self._takes(block)]):
                yield passed
            if self._size > self._max_bytes:
                raise CutStream(f"the provider's answer is larger than {self._max_bytes} bytes")

    def _takes(self, block: bytes) -> bool:
        """Whether the event goes out at once."""
        part = self._reader.take(block)
        if part is Part.REMOVED:
            self._call.request_patch = note_removed(self._call.request_patch, self._size, block)
            return False
        self._call.response.append(block)
        self._size += len(block)
        if part is Part.LAST or self._held:
            self._held += block
            return False
        return True

    def end(self) -> bytes:
        """The bytes that were held back; notes on the call what the stream said."""
        self._call.outcome = outcome = self._reader.end()
        if outcome.error is not None:
            self._call.fail(Cause.LLM_UNAVAILABLE, outcome.error)
        return self._held
