"""
Packing a folder into a bundle: a tar.gz that is the same byte for byte for the same files.

Names are sorted, times and owners dropped; so the bundle's digest names its content, and a folder that did
not change makes no new version.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from agentplane_cli.failure import Exit, Failure
from agentplane_cli.ignore_rules import IgnoreRules

MOST_BYTES = 20 * 1024 * 1024


def pack(folder: Path) -> bytes:
    """The folder as a bundle."""
    if not folder.is_dir():
        raise Failure(f"{folder} is not a folder", Exit.NOT_FOUND)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in _files(folder, "", IgnoreRules()):
            _add(archive, folder, name)
    packed = gzip.compress(plain.getvalue(), compresslevel=9, mtime=0)
    if len(packed) > MOST_BYTES:
        size = len(packed) / 1024**2
        raise Failure(
            f"{folder} packs to {size:.1f} MB, and a bundle may have 20\n"
            "try: leave files out with a .agentplaneignore",
            Exit.USAGE,
        )
    return packed


def default_command(folder: Path) -> list[str] | None:
    """How a folder of this kind is usually started; None when it does not say."""
    manifest = folder / "package.json"
    if manifest.is_file():
        try:
            main = json.loads(manifest.read_text(encoding="utf-8")).get("main") or "index.js"
        except ValueError as error:
            raise Failure(f"{manifest} is not JSON: {error}", Exit.USAGE) from error
        return ["node", str(main)]
    for name in ("agent.py", "main.py", "app.py"):
        if (folder / name).is_file():
            return ["python", name]
    return None


def _files(folder: Path, base: str, rules: IgnoreRules) -> Iterator[str]:
    rules = rules.with_files_of(folder, base)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = f"{base}/{entry.name}" if base else entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules.leave_out(name, is_folder):
            continue
        if is_folder:
            yield from _files(Path(entry.path), name, rules)
        elif entry.is_symlink() or entry.is_file():
            yield name


def _add(archive: tarfile.TarFile, folder: Path, name: str) -> None:
    path = folder / name
    member = tarfile.TarInfo(name)
    if path.is_symlink():
        if not path.resolve().is_relative_to(folder.resolve()):
            raise Failure(f"{path} links to something outside of {folder}", Exit.USAGE)
        if not path.is_file():
            raise Failure(f"{path} links to no file; a bundle holds files and links to them", Exit.USAGE)
        member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
        archive.addfile(member)
        return
    content = path.read_bytes()
    member.size = len(content)
    member.mode = 0o755 if os.access(path, os.X_OK) else 0o644
    archive.addfile(member, io.BytesIO(content))
