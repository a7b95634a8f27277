"""Making any output storable: what PostgreSQL or JSON cannot hold is replaced, long lines are cut."""

import json
from collections.abc import Iterator, Sequence

from pydantic import TypeAdapter, ValidationError

from services.contracts.log_processor import AgentLogLine, LogBatch, LogLine, LogsData

MAX_LINE_BYTES = 16 * 1024
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_BATCHES = TypeAdapter(list[LogBatch])


def parse(body: bytes) -> list[LogBatch]:
    """The batches of a request, with broken text repaired; `ValueError` when they are something else."""
    try:
        return _BATCHES.validate_json(body)
    except ValidationError:
        # Python's parser takes half surrogate pairs and bytes that are not UTF-8; writing loses them.
        loaded = json.loads(body.decode("utf-8", "replace"))
        return _BATCHES.validate_json(json.dumps(loaded, ensure_ascii=False).encode("utf-8", "replace"))


def storable(line: LogLine) -> tuple[str, bool]:
    """The text as it is stored, and whether something was cut off."""
    text, truncated = line.line, line.truncated
    if "\x00" in text:
        text = text.replace("\x00", _REPLACEMENT)
    # No character needs more than four bytes.
    if len(text) * 4 > MAX_LINE_BYTES:
        encoded = text.encode()
        if len(encoded) > MAX_LINE_BYTES:
            text, truncated = encoded[:MAX_LINE_BYTES].decode("utf-8", "ignore"), True
    return text, truncated


def portions(lines: Sequence[AgentLogLine], most_bytes: int) -> Iterator[LogsData]:
    """Lines of one agent in portions small enough for one message."""
    portion: list[AgentLogLine] = []
    size = 0
    for line in lines:
        cost = len(line.line) * 4 + 400
        if portion and size + cost > most_bytes:
            yield LogsData(agent_id=line.agent_id, lines=portion)
            portion, size = [], 0
        portion.append(line)
        size += cost
    if portion:
        yield LogsData(agent_id=portion[0].agent_id, lines=portion)
