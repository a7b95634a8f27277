"""Health probes: is the agent ready for work, and has it been silent for so long that it must be replaced."""

import asyncio
import json
from dataclasses import dataclass, replace

LARGEST = 65_536
FALLBACK = "/ping"
NOT_READY_AFTER, RESTART_AFTER = 3, 6
READY_WORDS = frozenset({"healthy", "healthybusy"})


@dataclass(frozen=True)
class Health:
    """What the probes so far say."""

    ready: bool = False
    misses: int = 0
    reason: str | None = None

    @property
    def must_restart(self) -> bool:
        """Whether it answered once and has missed too many probes since."""
        return self.misses >= RESTART_AFTER


@dataclass(frozen=True)
class Answer:
    """One probe's answer: `ready`, or why not; a draining agent is well but takes no work."""

    well: bool
    ready: bool
    reason: str | None = None


def judge(health: Health, answer: Answer) -> Health:
    """The health after one more answer."""
    if answer.well:
        return Health(answer.ready, 0, answer.reason)
    misses = health.misses + 1
    return replace(
        health, ready=health.ready and misses < NOT_READY_AFTER, misses=misses, reason=answer.reason
    )


async def ask(port: int, path: str, timeout_seconds: float) -> Answer:
    """Probe an agent once, by its health path and, where it does not know that, by `/ping`."""
    try:
        async with asyncio.timeout(timeout_seconds):
            status, body = await _get(port, path)
            if status in {404, 405}:
                status, body = await _get(port, FALLBACK)
    except TimeoutError:
        return Answer(False, False, f"{path}: no answer within {timeout_seconds:g} s")
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        return Answer(False, False, f"{path}: {str(error) or type(error).__name__}")
    if status != 200:
        return Answer(False, False, f"{path}: status {status}")
    return _read(path, body)


def _read(path: str, body: bytes) -> Answer:
    if not body.strip():
        return Answer(True, True)
    try:
        said = json.loads(body)
    except ValueError:
        return Answer(True, True)
    status = said.get("status") if isinstance(said, dict) else None
    if not isinstance(status, str) or status.lower() in READY_WORDS or status.lower() == "ok":
        return Answer(True, True)
    if status.lower() == "draining":
        return Answer(True, False, f"{path}: Draining")
    return Answer(False, False, f"{path}: status {status}")


async def _get(port: int, path: str) -> tuple[int, bytes]:
    # Raw, for a node asks this of every agent every few seconds.
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        status = int(head[0].split(b" ", 2)[1])
        length = next((int(line[15:]) for line in head if line.lower().startswith(b"content-length:")), None)
        if length is None:
            return status, _unchunk(await reader.read(LARGEST))
        return status, await reader.readexactly(min(length, LARGEST))
    finally:
        writer.close()


def _unchunk(body: bytes) -> bytes:
    size, separator, rest = body.partition(b"\r\n")
    try:
        return rest[: int(size, 16)] if separator else body
    except ValueError:
        return body
