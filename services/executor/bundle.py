"""Agents' own code: a tar.gz named by its sha256, unpacked once per node, with nothing in it but files."""

import asyncio
import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePosixPath

PACKED_BYTES = 20 * 1024**2
UNPACKED_BYTES = 200 * 1024**2
FILES = 20_000
PYTHON_ENTRIES = ("agent.py", "main.py", "app.py")

Fetch = Callable[[], Awaitable[bytes]]


class BundleRefused(Exception):
    """The bundle is not what a bundle may be."""


class Bundles:
    """The bundles of this node, by digest."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._unpacking: dict[str, asyncio.Lock] = {}
        # Not to be listed: other organisations' agents may be users of this machine.
        directory.mkdir(mode=0o711, exist_ok=True)
        directory.chmod(0o711)

    async def get(self, digest: str, fetch: Fetch) -> Path:
        """The unpacked bundle, fetched and checked the first time."""
        place = self._directory / digest
        async with self._unpacking.setdefault(digest, asyncio.Lock()):
            if not place.exists():
                data = await fetch()
                if hashlib.sha256(data).hexdigest() != digest:
                    raise BundleRefused(f"what was fetched as bundle {digest} has another sha256")
                await asyncio.to_thread(self._unpack, data, place)
        return place

    def _unpack(self, data: bytes, place: Path) -> None:
        aside = place.with_suffix(".new")
        shutil.rmtree(aside, ignore_errors=True)
        unpack(data, aside)
        aside.rename(place)


def unpack(data: bytes, into: Path) -> None:
    """Unpack a bundle into a new directory; refuse whatever could reach outside it or fill the disk."""
    if len(data) > PACKED_BYTES:
        raise BundleRefused(f"a bundle has at most {PACKED_BYTES} bytes; this one has {len(data)}")
    into.mkdir(mode=0o755)
    into.chmod(0o755)
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            _unpack_members(archive, into)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        shutil.rmtree(into, ignore_errors=True)
        raise BundleRefused(f"the bundle is not a readable tar.gz: {error}") from error
    except BundleRefused:
        shutil.rmtree(into, ignore_errors=True)
        raise


def _unpack_members(archive: tarfile.TarFile, into: Path) -> None:
    total = 0
    links: list[tuple[Path, str]] = []
    for count, member in enumerate(archive, 1):
        total += max(member.size, 0)
        if count > FILES:
            raise BundleRefused(f"a bundle has at most {FILES} files")
        if total > UNPACKED_BYTES:
            raise BundleRefused(f"a bundle has at most {UNPACKED_BYTES} bytes unpacked")
        target = into / _safe_name(member)
        if member.issym():
            links.append((target, member.linkname))
            continue
        if member.isdir():
            _make_directory(target, into)
            continue
        _make_directory(target.parent, into)
        content = archive.extractfile(member)
        assert content is not None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with contextlib.suppress(FileNotFoundError):
            target.unlink()
        with os.fdopen(os.open(target, flags, 0o600), "wb") as file:
            shutil.copyfileobj(content, file)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)
    for place, named in links:
        total += _copy_linked(place, named, into)
        if total > UNPACKED_BYTES:
            raise BundleRefused(f"a bundle has at most {UNPACKED_BYTES} bytes unpacked")


def _copy_linked(place: Path, named: str, into: Path) -> int:
    """Put the file that a link names in the link's place; its size. No link is ever made."""
    shown = str(place.relative_to(into))
    if "\0" in named or named.startswith("/"):
        raise BundleRefused(f"{shown!r} is a link that points outside the bundle")
    source = Path(os.path.normpath(place.parent / named))
    if not source.is_relative_to(into):
        raise BundleRefused(f"{shown!r} is a link that points outside the bundle")
    if not source.is_file() or place.exists():
        raise BundleRefused(f"{shown!r} is a link to {named[:100]!r}, which is no file of the bundle")
    _make_directory(place.parent, into)
    shutil.copy(source, place)
    return source.stat().st_size


def _safe_name(member: tarfile.TarInfo) -> str:
    if not (member.isfile() or member.isdir() or member.issym()) or member.issparse():
        raise BundleRefused(f"{member.name!r} is neither a file nor a directory")
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\0" in member.name:
        raise BundleRefused(f"{member.name!r} points outside the bundle")
    return str(path)


def _make_directory(path: Path, root: Path) -> None:
    if path == root or path.is_dir():
        return
    _make_directory(path.parent, root)
    path.mkdir(mode=0o755)
    path.chmod(0o755)


def entry_command(code: Path) -> list[str]:
    """How a bundle without a command is started: by its package.json or its usual main file."""
    for name in PYTHON_ENTRIES:
        if (code / name).is_file():
            return ["python", name]
    if (code / "package.json").is_file():
        return ["node", _node_main(code / "package.json")]
    names = ", ".join(PYTHON_ENTRIES)
    raise BundleRefused(f"the bundle has none of {names} and no package.json; give a command")


def _node_main(manifest: Path) -> str:
    try:
        main = json.loads(manifest.read_bytes()).get("main")
    except (ValueError, AttributeError) as error:
        raise BundleRefused(f"package.json of the bundle cannot be read: {error}") from error
    return main if isinstance(main, str) and main else "index.js"
