"""
A container's output, from the engine's log into the log that every workload has.

The engine keeps the output while no shim reads it. Each line comes with the engine's time, and the newest
that was taken is remembered, so that a shim that takes over goes on behind it.
"""

from __future__ import annotations

import calendar
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from services.executor.log_file import LogWriter, segments

TAGS = {1: b"o", 2: b"e"}
HEAD_BYTES = 8
TAKEN = "engine.taken"
INIT_FAILED = "[FATAL tini"


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


@dataclass
class Taken:
    """How far one stream was taken: the time of the newest piece, and how many pieces have that time."""

    moment: str = ""
    pieces: int = 0


class Frames:
    """Takes the bytes of the engine's log apart: a head, then frames of one stream each."""

    def __init__(self, directory: str, log: LogWriter) -> None:
        self._log = log
        self._file = os.open(f"{directory}/{TAKEN}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        words = os.read(self._file, 256).decode().split()
        self._taken = {number: Taken() for number in TAGS}
        for number, moment, pieces in zip(words[::3], words[1::3], words[2::3], strict=True):
            self._taken[int(number)] = Taken(moment, int(pieces))
        self.reopened()

    @property
    def since(self) -> str | None:
        """The time to ask the engine's log from; None for its beginning."""
        moments = [taken.moment for taken in self._taken.values()]
        return _unix(min(moments)) if all(moments) else None

    def reopened(self) -> None:
        """Begin with the head of a new stream, and skip what was taken before."""
        self._buffer, self._in_head = b"", True
        self._known = {number: replace(taken) for number, taken in self._taken.items()}

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        self._buffer += data
        if self._in_head:
            _, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._buffer, self._in_head = rest, False
        at = 0
        while len(self._buffer) - at >= HEAD_BYTES:
            end = at + HEAD_BYTES + int.from_bytes(self._buffer[at + 4 : at + 8], "big")
            if len(self._buffer) < end:
                break
            self._take(self._buffer[at], self._buffer[at + HEAD_BYTES : end])
            at = end
        if at:
            self._buffer = self._buffer[at:]
            self._remember()

    def _take(self, number: int, frame: bytes) -> None:
        stamp, _, text = frame.partition(b" ")
        moment = comparable(stamp.decode(errors="replace"))
        known, taken = self._known[number], self._taken[number]
        if moment < known.moment:
            return
        # The pieces of a long line all have the time of its first.
        if moment == known.moment and known.pieces:
            known.pieces -= 1
            return
        self._log.write(TAGS[number], text)
        taken.pieces = taken.pieces + 1 if moment == taken.moment else 1
        taken.moment = moment

    def _remember(self) -> None:
        said = " ".join(
            f"{number} {taken.moment} {taken.pieces}" for number, taken in self._taken.items() if taken.moment
        )
        os.pwrite(self._file, said.ljust(120).encode(), 0)


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


def _unix(moment: str) -> str:
    """The same as the engine wants it in a query, without losing a digit."""
    whole, _, fraction = moment.rstrip("Z").partition(".")
    return f"{int(seconds(whole))}.{fraction}"


def why_not_started(directory: str) -> str:
    """What the container's init said when there was no program to start; empty when it did not complain."""
    newest = Path(directory) / f"log.{segments(directory)[-1]}"
    for line in newest.read_text(errors="replace").splitlines()[-3:]:
        _, found, text = line.partition(INIT_FAILED)
        if found:
            return text.partition("] ")[2] or text
    return ""
