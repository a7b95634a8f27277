"""`agentplane logs`: the lines of one service, out of the log of the process that carries it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentplane_cli.failure import Exit, Failure
from agentplane_cli.terminal import is_coloured, say, styled

if TYPE_CHECKING:
    from services.embedded.local_platform import LocalPlatform

STORES = ("postgres", "nats", "redis")
PROCESSES = ("control", "journal", "data-path", "node")
POLL_SECONDS = 0.2

Name = Annotated[
    str, typer.Argument(metavar="SERVICE", help="A service, a process, a store, or `supervisor`.")
]
Following = Annotated[bool, typer.Option("--follow", "-f", help="Stay and show new lines.")]
Lines = Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines to show.")]
Raw = Annotated[bool, typer.Option("--raw", help="The lines as they were written.")]


def logs(service: Name, follow_new: Following = False, lines: Lines = 100, raw: Raw = False) -> None:
    """Show the log of a service."""
    from agentplane_cli.platform import open_platform

    platform = open_platform(prepare=False)
    path = log_of(platform, service)
    show: Callable[[str], str | None] = (
        (lambda line: line) if raw else (lambda line: readable(line, only=service))
    )
    last: Iterable[str] = path.read_text(errors="replace").splitlines() if path.exists() else []
    shown = [text for text in map(show, last) if text is not None]
    for text in shown[len(shown) - lines :] if lines < len(shown) else shown:
        say(text)
    if follow_new:
        for line in follow([path]):
            new = show(line)
            if new is not None:
                say(new)


def log_of(platform: LocalPlatform, name: str) -> Path:
    """The file that holds the log of a service, a process or a store."""
    from services.contracts.catalog import BACKEND, SERVICES
    from services.embedded.platform_process import exists

    folder = platform.directory.logs
    if name in (*STORES, *PROCESSES, "supervisor"):
        return folder / f"{name}.log"
    for entry in (BACKEND, *SERVICES):
        if entry.name == name and exists(entry, platform.root):
            return folder / f"{entry.process}.log"
    raise Failure(f"{name} does not run in local mode; `agentplane status` shows what does", Exit.NOT_FOUND)


def local_logs(platform: LocalPlatform) -> list[Path]:
    """The logs of the platform's own processes."""
    return [platform.directory.logs / f"{name}.log" for name in PROCESSES]


def follow(paths: Sequence[Path]) -> Iterator[str]:
    """New lines of the files as they come, for ever; a file that is cut short is read from its beginning."""
    places = {path: path.stat().st_size if path.exists() else 0 for path in paths}
    while True:
        for path in paths:
            if not path.exists():
                continue
            if path.stat().st_size < places[path]:
                places[path] = 0
            with path.open("rb") as file:
                file.seek(places[path])
                whole = file.read().rpartition(b"\n")[0]
            if whole:
                places[path] += len(whole) + 1
                yield from whole.decode(errors="replace").splitlines()
        time.sleep(POLL_SECONDS)


def readable(line: str, only: str) -> str | None:
    """A line for a person; None for a line of another service in the same process."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict):
        return line
    service = fields.pop("service", None)
    if service is not None and only not in (service, *PROCESSES):
        return None
    head = [str(fields.pop("timestamp", "")), str(fields.pop("level", "")).ljust(7)]
    said = str(fields.pop("event", ""))
    fields.pop("process", None)
    # The last line of a traceback says what happened; `--raw` has the rest.
    exception = str(fields.pop("exception", "")).strip().rpartition("\n")[2]
    tail = " ".join(f"{name}={value}" for name, value in fields.items())
    level = {"error": "fail", "critical": "fail", "warning": "warn"}.get(head[1].strip())
    if is_coloured() and level:
        head[1] = styled(head[1], level)
    return " ".join(part for part in (*head, service or "", said, tail, exception) if part)
