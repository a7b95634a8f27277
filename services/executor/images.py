"""The image that local mode has without an engine: this checkout's demo agents, under the spec's name."""

import hashlib
import shutil
from pathlib import Path

from services.executor.shim_process import ROOT

PACKAGE = "agent_runtime"


class BuiltInImage:
    """A copy of the `agent_runtime` package that agents can read, for the checkout itself is not theirs."""

    name = "agent-runtime:latest"
    command = ("python", "-m", PACKAGE)

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.path = directory

    @classmethod
    def is_called(cls, image: str) -> bool:
        """Whether an image name means this one."""
        return image in {cls.name, "agent-runtime"}

    def install(self) -> None:
        """Copy the package, under the hash of its files, unless that copy is there."""
        source = ROOT / PACKAGE
        files = sorted(
            path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts
        )
        seen = hashlib.sha256()
        for file in files:
            seen.update(str(file.relative_to(source)).encode() + b"\0" + file.read_bytes())
        self.path = self._directory / seen.hexdigest()[:16]
        if self.path.exists():
            return
        aside = self.path.with_suffix(".new")
        shutil.rmtree(aside, ignore_errors=True)
        for file in files:
            target = aside / PACKAGE / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            target.chmod(0o644)
        for place in (self._directory, aside, *(path for path in aside.rglob("*") if path.is_dir())):
            place.chmod(0o755)
        aside.rename(self.path)
