"""Small files that survive a crash: written to the side, synced, renamed."""
# The shim imports no pathlib, for its start-up time.
# ruff: noqa: PTH104, PTH123

from __future__ import annotations

import os
from _json import encode_basestring_ascii


def write_atomically(path: str, text: str, mode: int = 0o600) -> None:
    """Replace `path` by `text` so that a reader, even after a crash, sees the old or the new whole."""
    aside = f"{path}.{os.getpid()}.new"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(aside, path)


def read_text(path: str) -> str:
    """The file's text; empty when there is none."""
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def quote(text: str) -> str:
    """The text as a JSON string."""
    return encode_basestring_ascii(text)
