"""Reading the logs that shims write: by record number, or the newest lines."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from services.contracts.log_processor import LogLine
from services.executor.log_file import STREAMS, segments

LONGEST = 16_384
CHUNK = 1024**2
NOBODY = UUID(int=0)


@dataclass(frozen=True)
class Cursor:
    """A place in a log: the number of the next record and, once found, where it stands."""

    number: int
    segment: int = -1
    position: int = 0


def read(directory: Path, run_id: UUID, cursor: Cursor, limit: int) -> tuple[list[LogLine], Cursor]:
    """The lines at a cursor, oldest first, and the cursor behind them; lines already deleted are skipped."""
    if _nothing_new(directory, cursor):
        return [], cursor
    numbers = segments(str(directory))
    if cursor.segment not in numbers:
        if not numbers:
            return [], cursor
        cursor = _locate(directory, numbers, cursor.number)
    while True:
        with (directory / f"log.{cursor.segment}").open("rb") as file:
            file.seek(cursor.position)
            # What follows the last line end is being written right now.
            records = file.read(CHUNK).split(b"\n")[:-1][:limit]
        if records:
            lines = [_line(run_id, number, one) for number, one in enumerate(records, cursor.number)]
            position = cursor.position + sum(len(one) + 1 for one in records)
            return lines, Cursor(cursor.number + len(records), cursor.segment, position)
        later = [number for number in numbers if number > cursor.segment]
        if not later:
            return [], cursor
        cursor = Cursor(later[0], later[0])


def _nothing_new(directory: Path, cursor: Cursor) -> bool:
    # Asked of every agent every second, so it must cost little; a segment is named by its first record.
    try:
        size = (directory / f"log.{cursor.segment}").stat().st_size
    except FileNotFoundError:
        return False
    following = directory / f"log.{cursor.number}"
    return size == cursor.position and (cursor.number == cursor.segment or not following.exists())


def _locate(directory: Path, numbers: list[int], wanted: int) -> Cursor:
    segment = max((number for number in numbers if number <= wanted), default=numbers[0])
    number, position = segment, 0
    with (directory / f"log.{segment}").open("rb") as file:
        while number < wanted and (line := file.readline()).endswith(b"\n"):
            number, position = number + 1, position + len(line)
    return Cursor(number, segment, position)


def tail(directory: Path, count: int, streams: str = "oes") -> list[LogLine]:
    """The newest lines of some streams, oldest first."""
    found: list[LogLine] = []
    for number in reversed(segments(str(directory))):
        records = list(enumerate(_records(directory / f"log.{number}"), number))
        wanted = [(at, one) for at, one in records if _tag(one).lower() in streams]
        found = [_line(NOBODY, at, one) for at, one in wanted[-(count - len(found)) :]] + found
        if len(found) >= count:
            break
    return found


def stdout(directory: Path, longest: int) -> str:
    """The newest `longest` bytes or so of what the process printed, with its long lines whole again."""
    parts: list[bytes] = []
    size = 0
    for number in reversed(segments(str(directory))):
        for record in reversed(_records(directory / f"log.{number}")):
            tag, text = _tag(record), record.split(b" ", 2)[2]
            if tag in "oO":
                parts.append(text + (b"\n" if tag == "o" else b""))
                size += len(text)
            if size > longest:
                return b"".join(reversed(parts)).decode(errors="replace")
    return b"".join(reversed(parts)).decode(errors="replace")


def _records(file: Path) -> list[bytes]:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return []
    return data.split(b"\n")[:-1]


def _tag(record: bytes) -> str:
    return record.split(b" ", 2)[1].decode()


def _line(run_id: UUID, offset: int, record: bytes) -> LogLine:
    stamp, tag, text = record.split(b" ", 2)
    line = text.decode(errors="replace").replace("\0", "\ufffd")
    return LogLine.model_validate(
        {
            "run_id": run_id,
            "offset": offset,
            "at": datetime.fromtimestamp(int(stamp) / 1000, UTC),
            "stream": STREAMS[tag.decode().lower()],
            "line": line[:LONGEST],
            "truncated": tag.isupper(),
        }
    )
