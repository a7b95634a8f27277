"""The `.env` file: made once from `.env.example` with random secrets, completed later, never overwritten."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

# What stands in `.env.example` where a secret belongs: 32 random bytes in base64.
PLACEHOLDER = "<random>"


def read_env(path: Path) -> dict[str, str]:
    """The variables of an env file; an absent file has none."""
    if not path.exists():
        return {}
    pairs = (_parse(line) for line in path.read_text(encoding="utf-8").splitlines())
    return dict(pair for pair in pairs if pair)


def complete_env(path: Path, example: Path, known: Mapping[str, str]) -> list[str]:
    """Write what `path` lacks of `example` and return the names written.

    A value in `known` is taken before the example's, and before a new random one.
    """
    present = read_env(path)
    lines = example.read_text(encoding="utf-8").splitlines()
    missing = [pair[0] for pair in map(_parse, lines) if pair and pair[0] not in present]
    if not path.exists():
        _write(path, [_filled(line, known) for line in lines])
    elif missing:
        added = [_filled(line, known) for line in lines if (pair := _parse(line)) and pair[0] in missing]
        before = path.read_text(encoding="utf-8").rstrip("\n").splitlines()
        _write(
            path, [*before, "", "# Added by `agentplane install`; see .env.example for the meaning.", *added]
        )
    return missing


def _filled(line: str, known: Mapping[str, str]) -> str:
    pair = _parse(line)
    if pair is None or (pair[1] != PLACEHOLDER and pair[0] not in known):
        return line
    value = known.get(pair[0]) or base64.b64encode(secrets.token_bytes(32)).decode()
    return f"{pair[0]}={value}"


def _parse(line: str) -> tuple[str, str] | None:
    name, equals, value = line.strip().removeprefix("export ").partition("=")
    if not equals or name.startswith("#"):
        return None
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return name.strip(), value[1:-1]
    return name.strip(), value.partition(" #")[0].rstrip()


def _write(path: Path, lines: list[str]) -> None:
    # Aside and renamed, so that a crash never leaves half a file of secrets.
    staging = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    staging.rename(path)
