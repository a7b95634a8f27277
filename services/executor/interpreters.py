"""
The programs agents run with: a Python and a Node that the agents' user can really use.

The executor's own interpreter may lie below a home directory that nobody else may enter, and a Python that
cannot find its own library takes another's without a word. So each candidate is run as an agent would run
it and asked where its library is. Where root has none to offer, its own is copied into the state directory.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import structlog

log = structlog.get_logger()

OLDEST_PYTHON = (3, 11)
PLACES = "/usr/local/bin:/usr/bin:/bin"
SYSTEM = tuple(Path(place) for place in ("/usr", "/bin", "/lib", "/lib64", "/sbin"))
ASK_PYTHON = (
    "import sys, os, ssl, ctypes; inside = os.__file__.startswith(sys.base_prefix + '/'); "
    "print('%d.%d.%d' % sys.version_info[:3], sys.base_prefix) if inside else sys.exit(3)"
)
NOT_COPIED = shutil.ignore_patterns(
    "test", "tests", "idlelib", "tkinter", "turtledemo", "site-packages", "__pycache__", "*.a", "config-*"
)


@dataclass(frozen=True)
class Program:
    """An interpreter, its version, and the directory that holds all it needs."""

    path: Path
    version: str
    prefix: Path

    @property
    def is_system(self) -> bool:
        """Whether every process sees it anyway."""
        return any(self.prefix.is_relative_to(place) for place in SYSTEM)


@dataclass(frozen=True)
class Interpreters:
    """What agents of this node can be run and built with."""

    tools: Path
    python: Program | None
    node: Program | None
    uv: Path | None
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, str]:
        """Runtime -> version."""
        found = {"python": self.python, "node": self.node}
        return {name: program.version for name, program in found.items() if program}

    @property
    def directories(self) -> list[Path]:
        """What has to be bound into a file system of its own besides the system's."""
        programs = [program for program in (self.python, self.node) if program and not program.is_system]
        return [self.tools, *(program.prefix for program in programs)]


def find(directory: Path, uid: int | None, path: str) -> Interpreters:
    """Look for interpreters that `uid` (None: ourselves) can use, and link them in one directory."""
    tools = directory / "tools"
    tools.mkdir(mode=0o755, exist_ok=True)
    tools.chmod(0o755)
    missing: dict[str, str] = {}
    python = _find_python(directory, uid, path)
    if python is None:
        missing["python"] = "no Python of 3.11 or newer that agents can use"
    node = _find_node(uid, path)
    if node is None:
        missing["node"] = "no node that agents can use is on the search path"
    uv = _reachable_uv(tools, uid, path)
    links = {"python": python.path if python else None, "python3": python.path if python else None}
    links["node"] = node.path if node else None
    npm = node.path.parent / "npm" if node else None
    links["npm"] = npm if npm and npm.exists() else None
    for name, target in links.items():
        _link(tools / name, target)
    return Interpreters(tools, python, node, uv, missing)


def _link(link: Path, target: Path | None) -> None:
    link.unlink(missing_ok=True)
    if target is not None:
        link.symlink_to(target)


def _find_python(directory: Path, uid: int | None, path: str) -> Program | None:
    own = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    names = ["python3", *(f"python3.{minor}" for minor in range(20, OLDEST_PYTHON[1] - 1, -1))]
    places = [Path(place) for place in f"{PLACES}:{path}".split(":") if place]
    candidates = [own, *(place / name for place in places for name in names)]
    for candidate in dict.fromkeys(each.resolve() for each in candidates if _exists(each)):
        if (program := _ask_python(candidate, uid)) is not None:
            return program
    return _copied_python(directory, uid, own) if uid is not None else None


def _ask_python(candidate: Path, uid: int | None) -> Program | None:
    answer = _run([str(candidate), "-I", "-c", ASK_PYTHON], uid)
    if answer is None:
        return None
    version, prefix = answer.split(maxsplit=1)
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PYTHON:
        return None
    return Program(candidate, version, Path(prefix))


def _copied_python(directory: Path, uid: int, own: Path) -> Program | None:
    """Our own interpreter, copied to where agents can reach it; made once per version."""
    copy = directory / "interpreter" / sys.version.split()[0]
    executable = copy / "bin" / own.name
    if not executable.exists():
        log.info("interpreter.copying", source=sys.base_prefix, to=str(copy))
        aside = copy.with_suffix(".new")
        shutil.rmtree(aside, ignore_errors=True)
        library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
        shutil.copytree(Path(sys.base_prefix) / library, aside / library, ignore=NOT_COPIED, symlinks=True)
        for shared in (Path(sys.base_prefix) / "lib").glob("lib*.so*"):
            shutil.copy2(shared, aside / "lib", follow_symlinks=False)
        (aside / "bin").mkdir()
        (aside / "bin" / own.name).write_bytes(_beside_its_library(own.read_bytes()))
        (aside / "bin" / own.name).chmod(0o755)
        for place in (aside, *(each for each in aside.rglob("*") if each.is_dir())):
            place.chmod(0o755)
        copy.parent.chmod(0o755)
        aside.rename(copy)
    return _ask_python(executable, uid)


def _beside_its_library(program: bytes) -> bytes:
    """The program, made to look for its shared library next to itself and not where it was built."""
    built = f"{sys.base_prefix}/lib".encode() + b"\0"
    return program.replace(built, b"$ORIGIN/../lib".ljust(len(built), b"\0"))


def _find_node(uid: int | None, path: str) -> Program | None:
    for place in f"{path}:{PLACES}".split(":"):
        candidate = Path(place) / "node"
        if place and _exists(candidate) and (answer := _run([str(candidate), "--version"], uid)):
            real = candidate.resolve()
            return Program(real, answer.lstrip("v"), real.parent.parent)
    return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False


def _reachable_uv(tools: Path, uid: int | None, path: str) -> Path | None:
    found = Path(sys.executable).with_name("uv")
    source = found if found.exists() else shutil.which("uv", path=path)
    if source is None:
        return None
    if uid is None or _run([str(source), "--version"], uid) is not None:
        return Path(source)
    copy = tools / "uv"
    if not copy.exists() or copy.stat().st_size != Path(source).stat().st_size:
        aside = tools / "uv.new"
        shutil.copyfile(source, aside)
        aside.chmod(0o755)
        aside.rename(copy)
    return copy


def _run(command: list[str], uid: int | None) -> str | None:
    identity = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    try:
        done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 - the arguments' types vary together
            command,
            capture_output=True,
            text=True,
            timeout=20,
            cwd="/",
            env={"PATH": PLACES, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},
            **identity,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return str(done.stdout).strip() if done.returncode == 0 and done.stdout.strip() else None


def accessible(directory: Path) -> str | None:
    """The parent of `directory` that others may not pass through, if there is one."""
    for parent in reversed([directory, *directory.parents]):
        if parent.exists() and not parent.stat().st_mode & 0o001:
            return str(parent)
    return None
