"""Making the Python environment of a checkout: `.venv` with uv in it and everything that `uv.lock` names.

Standard library only, and runnable as a script, because it is what `make` runs on a machine with nothing but
Python: `python3 cli/agentplane_cli/environment.py`. `agentplane install` calls the same function.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

UV = "uv==0.13.9"
OLDEST_PYTHON = (3, 11)
STAMP = ".agentplane-installed"

NO_PIP = (
    "this Python can make no environment: it has neither ensurepip nor pip, and uv is not installed.\n"
    "On Debian or Ubuntu: apt-get install python3-venv. Elsewhere: install pip or uv for this Python."
)


class EnvironmentFailed(Exception):
    """The environment cannot be made; the message says what is missing."""


def make_environment(root: Path) -> bool:
    """Bring `.venv` of the checkout in line with its lock file; False when it already was."""
    stamp = root / ".venv" / STAMP
    wanted = _fingerprint(root)
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    if sys.version_info < OLDEST_PYTHON:
        raise EnvironmentFailed(f"AgentPlane needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    python = root / ".venv" / "bin" / "python"
    if not _works(python):
        _create(root / ".venv")
    sys.stdout.write("installing the packages that uv.lock names; the first time takes about a minute\n")
    sys.stdout.flush()
    uv = _uv(root / ".venv", python)
    # Inexact, for uv itself lives in the environment and is not a dependency of the project.
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    _run(
        [uv, "sync", "--frozen", "--inexact", "--project", root, "--python", python, *quiet],
        {**os.environ, "UV_PROJECT_ENVIRONMENT": str(root / ".venv"), "UV_PYTHON_DOWNLOADS": "never"},
    )
    stamp.write_text(wanted)
    return True


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256(str(root).encode())
    for name in ("uv.lock", "pyproject.toml", "cli/pyproject.toml"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def _works(python: Path) -> bool:
    # A virtual environment breaks when the Python that it was made from goes away.
    return python.exists() and subprocess.run([python, "-c", ""], check=False).returncode == 0  # noqa: S603


def _create(environment: Path) -> None:
    if environment.exists():
        shutil.rmtree(environment)
    made = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "venv", environment], check=False, capture_output=True, text=True
    )
    if made.returncode != 0:
        # Debian's python3 comes without ensurepip; an environment without pip can still be made.
        shutil.rmtree(environment, ignore_errors=True)
        _run([sys.executable, "-m", "venv", "--without-pip", environment])


def _uv(environment: Path, python: Path) -> Path:
    inside = environment / "bin" / "uv"
    if inside.exists():
        return inside
    pips: list[list[str | Path]] = [
        [python, "-m", "pip"],
        [sys.executable, "-m", "pip", "--python", python],
    ]
    for pip in pips:
        asked = subprocess.run([*pip, "--version"], check=False, capture_output=True)  # noqa: S603
        if asked.returncode == 0:
            _run([*pip, "install", "--quiet", "--disable-pip-version-check", UV])
            return inside
    found = shutil.which("uv")
    if found is None:
        raise EnvironmentFailed(NO_PIP)
    return Path(found)


def _run(command: list[str | Path], variables: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, check=False, env=variables)  # noqa: S603 - no shell
    if done.returncode != 0:
        raise EnvironmentFailed(f"`{' '.join(map(str, command))}` failed with code {done.returncode}")


if __name__ == "__main__":
    try:
        make_environment(Path(__file__).resolve().parents[2])
    except EnvironmentFailed as error:
        sys.exit(f"error: {error}")
