"""
The log of one process, as the shim writes it and the executor reads it.

A log is a row of segment files `log.<number of its first record>`; the oldest are deleted when there are
too many. A record is one line: `<ms since 1970> <tag> <text>`, its number is its place in the row, and its
tag is `o` stdout, `e` stderr, `s` the platform itself, upper case when the next record of that stream
continues the line.
"""
# The shim imports no pathlib, for its start-up time.
# ruff: noqa: PTH108, PTH208

from __future__ import annotations

import os
import time

LONGEST_LINE = 16_000
STREAMS = {"o": "stdout", "e": "stderr", "s": "system"}


class LogWriter:
    """Appends records to the newest segment; a writer is never reopened."""

    def __init__(self, directory: str, segment_bytes: int, segments: int) -> None:
        self._directory = directory
        self._segment_bytes, self._segments = segment_bytes, segments
        self._number = self._size = 0
        self._partial = {b"o": b"", b"e": b"", b"s": b""}
        self._descriptor = self._open()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(f"{self._directory}/log.{self._number}", flags, 0o600)

    def write(self, stream: bytes, data: bytes) -> None:
        """Take bytes of a stream and append the lines that are complete."""
        lines = (self._partial[stream] + data).split(b"\n")
        self._partial[stream] = lines.pop()
        stamp = b"%d " % int(time.time() * 1000)
        records = [record for line in lines for record in _records(stamp, stream, line)]
        while len(self._partial[stream]) >= LONGEST_LINE:
            head, rest = self._partial[stream][:LONGEST_LINE], self._partial[stream][LONGEST_LINE:]
            records.append(stamp + stream.upper() + b" " + head + b"\n")
            self._partial[stream] = rest
        self._append(records)

    def flush(self) -> None:
        """Append what has no line end yet, because the stream has ended."""
        for stream, partial in self._partial.items():
            if partial:
                self.write(stream, b"\n")

    def say(self, text: str) -> None:
        """Append a line of the platform's own."""
        self.write(b"s", text.encode() + b"\n")

    def _append(self, records: list[bytes]) -> None:
        if not records:
            return
        data = b"".join(records)
        os.write(self._descriptor, data)
        self._number += len(records)
        self._size += len(data)
        if self._size >= self._segment_bytes:
            os.close(self._descriptor)
            self._size = 0
            self._descriptor = self._open()
            for number in segments(self._directory)[: -self._segments]:
                os.unlink(f"{self._directory}/log.{number}")


def _records(stamp: bytes, stream: bytes, line: bytes) -> list[bytes]:
    pieces = [line[at : at + LONGEST_LINE] for at in range(0, len(line), LONGEST_LINE)] or [b""]
    tags = [stream.upper()] * (len(pieces) - 1) + [stream]
    return [stamp + tag + b" " + piece + b"\n" for tag, piece in zip(tags, pieces, strict=True)]


def segments(directory: str) -> list[int]:
    """The first record's number of each segment, oldest first."""
    names = [name[4:] for name in os.listdir(directory) if name.startswith("log.")]
    return sorted(int(name) for name in names if name.isdigit())
