"""`agentplane logs` turns the processes' JSON lines into lines for a person."""

import json
import threading
from pathlib import Path

from agentplane_cli.logs import follow, readable

LINE = {
    "service": "executor",
    "event": "loop.failed",
    "loop": "renew",
    "process": "node",
    "level": "error",
    "timestamp": "2026-11-22T16:36:16.128454Z",
    "exception": "Traceback (most recent call last):\n  File ...\nUnavailable: node-manager is away",
}


def test_a_line_is_short_and_says_what_happened() -> None:
    assert readable(json.dumps(LINE), only="executor") == (
        "2026-11-22T16:36:16.128454Z error   executor loop.failed loop=renew "
        "Unavailable: node-manager is away"
    )


def test_lines_of_another_service_of_the_same_process_are_left_out() -> None:
    assert readable(json.dumps(LINE), only="k8s-executor") is None
    assert readable(json.dumps(LINE), only="node") is not None


def test_what_is_no_json_is_shown_as_it_is() -> None:
    for line in ("LOG:  database system is ready", "[1, 2]", ""):
        assert readable(line, only="postgres") == line


def test_following_survives_rotation_and_half_lines(tmp_path: Path) -> None:
    log = tmp_path / "node.log"
    log.write_text("before\n")
    lines = follow([log])

    def write() -> None:
        with log.open("a") as file:
            file.write("half a ")
            file.flush()
            file.write("line\n")
        while next_line.is_set() is False:
            pass
        log.write_text("new\n")

    next_line = threading.Event()
    writer = threading.Timer(0.3, write)
    writer.start()
    assert next(lines) == "half a line"
    next_line.set()
    assert next(lines) == "new"
    writer.join()
