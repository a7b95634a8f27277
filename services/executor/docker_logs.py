"""
A container's output, from the engine's log into the log that every workload has.

The engine keeps the output while no shim reads it. Each line comes with the engine's time, and the newest
that was taken is remembered, so that a shim that takes over goes on behind it.
"""

from __future__ import annotations

import calendar
import os
import time
from pathlib import Path

from services.executor.log_file import LogWriter, segments

TAGS = {1: b"o", 2: b"e"}
HEAD_BYTES = 8
TAKEN = "engine.taken"


class ContinuedLog(LogWriter):
    """A log that a later shim goes on writing where the one before it was killed."""

    def _open(self) -> int:
        numbers = segments(self._directory) if self._number == 0 else []
        if not numbers:
            return super()._open()
        path = Path(self._directory) / f"log.{numbers[-1]}"
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        os.ftruncate(descriptor, len(whole))
        self._number, self._size = numbers[-1] + whole.count(b"\n"), len(whole)
        return descriptor


class Frames:
    """Takes the bytes of the engine's log stream apart: a head, then frames of one stream each."""

    def __init__(self, directory: str, log: LogWriter) -> None:
        self._log = log
        self._file = os.open(f"{directory}/{TAKEN}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.taken = os.read(self._file, 64).decode().strip()
        self.reopened()

    def reopened(self) -> None:
        """Begin with the head of a new stream, and skip what was taken before."""
        self._buffer, self._in_head, self._known = b"", True, self.taken

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        self._buffer += data
        if self._in_head:
            _, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._buffer, self._in_head = rest, False
        before, at = self.taken, 0
        while len(self._buffer) - at >= HEAD_BYTES:
            end = at + HEAD_BYTES + int.from_bytes(self._buffer[at + 4 : at + 8], "big")
            if len(self._buffer) < end:
                break
            self._take(TAGS.get(self._buffer[at], b"e"), self._buffer[at + HEAD_BYTES : end])
            at = end
        self._buffer = self._buffer[at:]
        if self.taken != before:
            os.pwrite(self._file, self.taken.ljust(40).encode(), 0)

    def _take(self, tag: bytes, frame: bytes) -> None:
        stamp, _, text = frame.partition(b" ")
        moment = comparable(stamp.decode(errors="replace"))
        # Not compared with the newest line: the pieces of a long line all have the time of its first.
        if moment <= self._known:
            return
        self._log.write(tag, text)
        self.taken = moment


def comparable(stamp: str) -> str:
    """An RFC 3339 time with all its nine digits, so that times compare as text."""
    whole, _, fraction = stamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction.ljust(9, '0')}Z"


def seconds(stamp: str) -> float:
    """An RFC 3339 time as seconds since 1970; 0 for the year 1, the engine's word for never."""
    if stamp.startswith("0001"):
        return 0.0
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def unix(moment: str) -> str:
    """The same as the engine wants it in a query, without losing a digit."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return f"{int(seconds(whole))}.{fraction}"
