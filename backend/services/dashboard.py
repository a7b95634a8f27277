"""
The dashboard as static files: which file answers an address, under which content security policy.

The build (`frontend/scripts/build.mjs`) leaves the files, compressed copies, and `manifest.json` with the
policy of each page: the hashes of its inline scripts, so that no other script runs. A page for one thing, as
/agents/<id>, is built once, for the id `_`, and answers every id.
"""

import hashlib
import json
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Any, Literal

MANIFEST = "manifest.json"
ANY_ID = "_"
_HASHED = "_next/static/"
_TEXT = frozenset({"text/html", "text/plain", "text/css", "text/javascript", "image/svg+xml"})


@dataclass(frozen=True)
class File:
    """One file in memory."""

    content: bytes
    compressed: bytes | None
    media_type: str
    etag: str
    policy: str | None
    cache: str


@dataclass(frozen=True)
class BuildState:
    """How the building of the dashboard stands."""

    state: Literal["ready", "building", "failed", "absent"]
    detail: str


class Dashboard:
    """The built dashboard of a directory, read when it is there."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self._files: dict[str, File] | None = None

    @property
    def configured(self) -> bool:
        """Whether this process is to serve a dashboard at all."""
        return self.directory is not None

    def built(self) -> bool:
        """Whether there is something to serve; looks for it until there is."""
        if self._files is None and self.directory is not None and (self.directory / MANIFEST).is_file():
            self._files = _read(self.directory)
        return self._files is not None

    def file(self, path: str) -> File | None:
        """The file that answers an address: its own, that of the page, or that of any id."""
        files, name = self._files or {}, path.strip("/")
        for candidate in _candidates(name):
            if candidate in files:
                return files[candidate]
        return None

    def not_found(self) -> File | None:
        """The page that says so."""
        return (self._files or {}).get("404.html")

    def state(self) -> BuildState:
        """Whether it is served, and what its build said last."""
        if self.built():
            return BuildState("ready", "")
        if self.directory is None:
            return BuildState("absent", "served elsewhere")
        try:
            told = json.loads((self.directory.parent / "status.json").read_text())
            if told["state"] in ("building", "failed"):
                return BuildState(told["state"], str(told["detail"]))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return BuildState("absent", "it is not built from its present sources; `make dashboard` does so")


def _candidates(name: str) -> list[str]:
    if not name:
        return ["index.html"]
    segments = name.split("/")
    found = [name, f"{name}.html"]
    for position in range(1, len(segments)):
        head, tail = segments[:position], segments[position + 1 :]
        suffix = ".txt" if not tail and segments[position].endswith(".txt") else ""
        replaced = "/".join([*head, ANY_ID + suffix, *tail])
        found += [replaced, f"{replaced}.html"]
    return found


def _read(directory: Path) -> dict[str, File]:
    manifest: dict[str, Any] = json.loads((directory / MANIFEST).read_text())
    files = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        if path.is_file() and path.suffix != ".gz" and name != MANIFEST:
            files[name] = _file(path, name, manifest["policies"].get(name))
    return files


def _file(path: Path, name: str, policy: str | None) -> File:
    content, packed = path.read_bytes(), path.with_name(path.name + ".gz")
    kind = guess_type(name)[0] or "application/octet-stream"
    return File(
        content=content,
        compressed=packed.read_bytes() if packed.exists() else None,
        media_type=f"{kind}; charset=utf-8" if kind in _TEXT else kind,
        etag=f'"{hashlib.sha256(content).hexdigest()[:24]}"',
        policy=policy,
        cache="public, max-age=31536000, immutable" if name.startswith(_HASHED) else "no-cache",
    )
