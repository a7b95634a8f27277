"""
How far agents are kept from this machine: `none`, `user`, `namespaces`; each proven before it is offered.

none        the executor's own user: nothing is hidden. Never offered to root.
user        a user id of the agent's own: the platform's files, memory and stores are out of reach
namespaces  besides, its own processes, file system and network: it sees and reaches nothing else at all

A level is proven by starting a real process in it that tries to read a file it must not see.
"""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from services.chassis.errors import IsolationUnavailable
from services.contracts.agents import IsolationLevel
from services.executor.interpreters import accessible
from services.executor.plan import Plan
from services.executor.shim_process import ShimProcess, readable

AVAILABLE = "available"
STRENGTH = (IsolationLevel.NONE, IsolationLevel.USER, IsolationLevel.NAMESPACES)
PROBE_SECONDS = 20.0
# Exits 0 when the secret is out of reach, the scratch directory works and /proc is there.
TRY = 'cat "$1" >/dev/null 2>&1 && exit 41; echo x > scratch || exit 42; test -r /proc/self/status || exit 43'


def confine(plan: Plan, level: IsolationLevel, work: Path, uid: int | None, name: str = "agent") -> None:
    """Make a plan start its process in a level, as `uid` where we are root."""
    plan.level = level.value
    if uid is not None and level is not IsolationLevel.NONE:
        plan.uid = plan.gid = uid
    if level is IsolationLevel.NAMESPACES:
        from_root = uid is not None
        inside = uid if from_root else 1000
        plan.user_namespace = not from_root
        plan.private_network = True
        plan.hostname = name
        plan.binds.append((str(work), "/agentplane", True))
        plan.files += [
            ("/etc/passwd", f"agent:x:{inside}:{inside}:agent:/agentplane:/bin/sh\n"),
            ("/etc/group", f"agent:x:{inside}:\n"),
            ("/etc/hosts", f"127.0.0.1 localhost {name}\n"),
            ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
        ]


async def probe(
    directory: Path, uid: int | None, strongest: IsolationLevel | None
) -> dict[IsolationLevel, str]:
    """Level -> `available`, or why it is not."""
    found: dict[IsolationLevel, str] = {}
    for level in STRENGTH:
        if strongest is not None and STRENGTH.index(level) > STRENGTH.index(strongest):
            found[level] = "switched off by AGENTPLANE_EXECUTOR_ISOLATION"
        else:
            found[level] = await _probe(directory, uid, level)
    return found


async def _probe(directory: Path, uid: int | None, level: IsolationLevel) -> str:
    if level is IsolationLevel.NONE:
        return "not offered by a node that runs as root" if os.geteuid() == 0 else AVAILABLE
    if level is IsolationLevel.USER:
        if os.geteuid() != 0:
            return "needs root, to give agents user ids of their own"
        if (closed := accessible(directory)) is not None:
            return f"agents could not reach their files: others may not enter {closed}"
    if os.geteuid() == 0 and uid is None:
        return "this container maps no user ids that agents could have"
    return await _try(directory / f"probe-{level.value}", uid, level)


def _lay_out(place: Path, uid: int | None) -> tuple[Path, Path]:
    shutil.rmtree(place, ignore_errors=True)
    work, secret = place / "work", place / "secret"
    work.mkdir(parents=True)
    place.chmod(0o711)
    secret.write_text("out of reach")
    secret.chmod(0o600)
    if uid is not None:
        os.chown(work, uid, uid)
    return work, secret


async def _try(place: Path, uid: int | None, level: IsolationLevel) -> str:
    work, secret = _lay_out(place, uid)
    inside = "/agentplane" if level is IsolationLevel.NAMESPACES else str(work)
    plan = Plan(["/bin/sh", "-c", TRY, "sh", str(secret)], {"PATH": os.defpath}, inside)
    confine(plan, level, work, uid)
    shim = ShimProcess(place)
    try:
        await asyncio.wait_for(readable(shim.spawn(plan)), PROBE_SECONDS)
        ended = shim.ended()
        if ended is not None and ended.code == 0:
            return AVAILABLE
        return _why(ended.message if ended else "", ended.code if ended else None)
    except TimeoutError:
        shim.kill("killed")
        return f"a process confined this way did not end within {PROBE_SECONDS:.0f} s"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _why(message: str, code: int | None) -> str:
    if message:
        return f"this machine refuses it: {message}"
    if code == 41:
        return "a process confined this way could still read what it must not"
    return f"a process confined this way did not work (exit code {code})"


def choose(found: Mapping[IsolationLevel, str], required: IsolationLevel | None) -> IsolationLevel:
    """The level the agent asks for, or the strongest where it asks for none; never another in its place."""
    offered = [level for level in STRENGTH if found.get(level) == AVAILABLE]
    if not offered:
        raise IsolationUnavailable(f"this node can run no agent: {_list(found)}")
    if required is not None and required not in offered:
        raise IsolationUnavailable(f"isolation {required.value} is required: {_list(found)}")
    return required or offered[-1]


def _list(found: Mapping[IsolationLevel, str]) -> str:
    return "; ".join(f"{level.value}: {reason}" for level, reason in found.items())
