"""A watched process comes back after it dies, with a growing pause, and is killed when it is stuck."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from services.embedded import watch as watching
from services.embedded.faults import StoreFailed
from services.embedded.supervised import Supervised
from services.embedded.watch import Watch, pause_before_restart
from tests.waiting import until_now


class StandIn(Supervised):
    """A process that does nothing but live, until it is told to end by itself."""

    def __init__(self, directory: Path, script: str = "exec sleep 600") -> None:
        super().__init__(name="stand-in", run_directory=directory, log_directory=directory)
        self.script = script

    def command(self) -> Sequence[str | Path]:
        return ["/bin/sh", "-c", self.script]

    def is_ready(self) -> bool:
        return self.running()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[StandIn]:
    stand_in = StandIn(tmp_path)
    yield stand_in
    stand_in.stop()


def test_a_killed_process_is_restarted(process: StandIn) -> None:
    told: list[dict[str, object]] = []
    watch = Watch(process, lambda name, **facts: told.append(facts))
    process.start()
    first = process.identity()
    assert first
    # Not `stop`, which takes the exit code for itself.
    os.kill(first.pid, signal.SIGKILL)

    def back() -> bool:
        watch.look()
        return process.identity() not in (None, first)

    until_now(back)
    assert [facts["state"] for facts in told] == ["crashed", "running"]
    assert told[0]["exit_code"] == -signal.SIGKILL
    assert told[1]["restarts"] == 1


def test_a_process_that_keeps_dying_is_restarted_ever_more_slowly() -> None:
    pauses = [pause_before_restart(crashes) for crashes in range(1, 10)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_process_that_does_not_answer_is_killed(process: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PROBE_EVERY_SECONDS", 0.0)
    watch = Watch(process, lambda *_, **__: None, is_alive=lambda: False)
    process.start()
    first = process.identity()

    def replaced() -> bool:
        watch.look()
        return process.identity() not in (None, first)

    until_now(replaced)


def test_a_process_that_outlived_its_supervisor_is_known_and_stopped(
    process: StandIn, tmp_path: Path
) -> None:
    process.start()
    successor = StandIn(tmp_path)
    assert successor.identity() == process.identity()
    assert successor.stop()
    assert not process.running()


def test_a_process_that_ignores_the_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    stubborn = StandIn(tmp_path, "trap '' TERM; echo trapped; while :; do sleep 0.05; done")
    stubborn.stop_grace_seconds = 0.3
    stubborn.start()
    until_now(lambda: "trapped" in stubborn.log_file.read_text())
    assert stubborn.stop() is False
    assert not stubborn.running()


def test_a_process_that_dies_at_start_tells_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed = StandIn(tmp_path, "echo no such disk; exit 3")
    monkeypatch.setattr(doomed, "is_ready", lambda: False)
    with pytest.raises(StoreFailed, match=r"stand-in died .*no such disk"):
        doomed.start()
