"""The data directory: where it is, that no parent is opened for it, and that only our own is wiped."""

import os
from pathlib import Path

import pytest

from services.embedded.data_directory import LONGEST_SOCKET_DIRECTORY, DataDirectory
from services.embedded.faults import UnusableDirectory
from services.embedded.installation import prepare
from services.embedded.settings import LocalSettings
from services.embedded.testing import TestRun

EXAMPLE = Path(__file__).parents[3] / ".env.example"


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DataDirectory.from_environment({"AGENTPLANE_DATA_DIR": "/srv/ap"}).root == Path("/srv/ap")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert DataDirectory.from_environment({"HOME": "/root"}).root == Path("/var/lib/agentplane")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 1)
    assert DataDirectory.from_environment({"XDG_DATA_HOME": "/x"}).root == Path("/x/agentplane")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user run the stores")
def test_a_closed_parent_is_refused_and_stays_closed(run: TestRun) -> None:
    home = run.directory / "closed-home"
    home.mkdir(mode=0o700)
    with pytest.raises(UnusableDirectory, match=r"may not enter .*closed-home"):
        DataDirectory(home / "data").prepare()
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_directory_of_somebody_else_is_refused() -> None:
    with pytest.raises(UnusableDirectory):
        DataDirectory(Path("/proc/agentplane")).prepare()


def test_wiping_leaves_what_others_put_there(run: TestRun, worker: str) -> None:
    directory = run.data_directory(f"{worker}-wiped")
    directory.prepare()
    (directory.root / "thesis.txt").write_text("years of work")
    assert directory.wipe() == ["thesis.txt"]
    assert [path.name for path in directory.root.iterdir()] == ["thesis.txt"]
    (directory.root / "thesis.txt").unlink()
    assert directory.wipe() == []
    assert not directory.root.exists()


def test_sockets_of_a_deep_directory_move_to_a_short_path(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-long-folder-name"] * 6)
    assert len(str(DataDirectory(deep).sockets)) <= LONGEST_SOCKET_DIRECTORY
    assert DataDirectory(deep).sockets != DataDirectory(deep / "other").sockets


def test_a_new_checkout_finds_the_master_key_of_its_data(
    run: TestRun, worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTPLANE_DATA_DIR", str(run.directory / f"{worker}-reinstalled"))
    keys = []
    for name in ("first", "second"):
        root = tmp_path / name
        root.mkdir()
        (root / ".env.example").write_bytes(EXAMPLE.read_bytes())
        assert "AGENTPLANE_SECRETS_MASTER_KEY" in prepare(root)
        lines = (root / ".env").read_text().splitlines()
        keys.append([line for line in lines if line.startswith(("AGENTPLANE_SECRETS_", "AGENTPLANE_JWT_"))])
    assert keys[0][0] == keys[1][0]
    assert keys[0][1] != keys[1][1]


def test_a_new_env_file_keeps_where_the_platform_was_put(
    run: TestRun, worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = run.data_directory(f"{worker}-kept").root
    (tmp_path / ".env.example").write_text(EXAMPLE.read_text())
    monkeypatch.setenv("AGENTPLANE_DATA_DIR", str(place))
    monkeypatch.setenv("AGENTPLANE_PORT_BASE", "10000")
    prepare(tmp_path)
    monkeypatch.setenv("AGENTPLANE_PORT_BASE", "20000")
    prepare(tmp_path)
    kept = LocalSettings.load(tmp_path, {})
    assert kept.data_directory.root == place
    assert kept.port_base == 10_000
