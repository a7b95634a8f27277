"""Server-sent events as providers send them: the data of one event, and writing one."""

from typing import Any

import orjson


def data_of(block: bytes) -> bytes:
    """The data of one event; empty when it has none, as comments and pings."""
    if block.startswith(b"data: ") and block.count(b"\n") <= 2:
        return block[6:].strip()
    lines = [line[5:].strip() for line in block.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)


def event(document: Any, kind: str | None = None) -> bytes:
    """One event on the wire; Anthropic's and those of Responses are named."""
    head = f"event: {kind}\n".encode() if kind else b""
    return head + b"data: " + orjson.dumps(document) + b"\n\n"
