"""Packing folders, reading inputs."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from agentplane_cli.bundle import default_command, pack
from agentplane_cli.failure import Failure
from agentplane_cli.running import read_input


def names(packed: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        return archive.getnames()


def write(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "agent.py", "lib/a.py")
    write(two, "lib/a.py", "agent.py")
    os.utime(two / "agent.py", (1, 1))
    assert pack(one) == pack(two)
    (two / "agent.py").chmod(0o755)
    assert pack(one) != pack(two)


def test_what_does_not_belong_stays_behind(tmp_path: Path) -> None:
    write(tmp_path, "agent.py", ".env", ".env.example", ".git/config", "node_modules/x/index.js")
    write(tmp_path, "a/__pycache__/b.pyc", "a/keep.py", "a/notes.log", "a/b/notes.log", "out/x", "a/out/y")
    write(tmp_path, "data/one.csv", "data/two.csv", "deep/x/y/z.tmp")
    (tmp_path / ".gitignore").write_text("# comment\n*.log\n/out\ndata/*.csv\n!data/two.csv\ndeep/**/z.tmp\n")
    (tmp_path / "a" / ".gitignore").write_text("!notes.log\n")
    assert names(pack(tmp_path)) == [
        ".env.example", ".gitignore", "a/.gitignore", "a/b/notes.log", "a/keep.py", "a/notes.log", "a/out/y",
        "agent.py", "data/two.csv",
    ]  # fmt: skip


def test_what_is_too_large_or_leads_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(21 * 1024 * 1024))
    with pytest.raises(Failure, match=r"packs to 2\d\.\d MB"):
        pack(tmp_path)
    (tmp_path / "big").unlink()
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(Failure, match="outside"):
        pack(tmp_path)


def test_folders_say_how_they_start(tmp_path: Path) -> None:
    assert default_command(tmp_path) is None
    write(tmp_path, "main.py")
    assert default_command(tmp_path) == ["python", "main.py"]
    (tmp_path / "package.json").write_text('{"main": "agent.js"}')
    assert default_command(tmp_path) == ["node", "agent.js"]


def test_inputs_are_json_or_text(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"a": 1}')
    assert read_input(None) is None
    assert read_input("17") == 17
    assert read_input("Where is my order?") == "Where is my order?"
    assert read_input(f"@{tmp_path}/input.json") == {"a": 1}
    with pytest.raises(Failure, match="cannot be read"):
        read_input("@nowhere")
