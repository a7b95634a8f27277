"""Logs stay small while their writers keep them open."""

from pathlib import Path

from services.embedded.log_rotation import rotate


def test_a_log_that_has_grown_moves_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "control.log"
    with log.open("a") as writer:
        for text in ("first", "second", "third"):
            writer.write(text * 10)
            writer.flush()
            assert rotate(log, largest_bytes=20, kept=2)
        writer.write("now")
        writer.flush()
        assert not rotate(log, largest_bytes=20, kept=2)
    assert log.read_text() == "now"
    assert (tmp_path / "control.log.1").read_text() == "third" * 10
    assert (tmp_path / "control.log.2").read_text() == "second" * 10
    assert not (tmp_path / "control.log.3").exists()
