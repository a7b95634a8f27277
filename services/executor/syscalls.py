"""The few Linux system calls that Python 3.11's `os` lacks: namespaces, mounts and process attributes."""

from __future__ import annotations

import ctypes
import fcntl
import os

NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
DETACH = 2

_AT_FDCWD, _AT_RECURSIVE, _MOUNT_SETATTR = -100, 0x8000, 442
_SET_PDEATHSIG, _SET_DUMPABLE, _CAPBSET_DROP, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVS = 1, 4, 24, 36, 38
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _UP = 0x8913, 0x8914, 0x1

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move this process (and for NEWPID its children) into new namespaces."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def enter(descriptor: int, kind: int) -> None:
    """Move this thread into the namespace of a kind that a descriptor is open on."""
    _check(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mount `source` on `target`."""
    arguments = [part.encode() if part else None for part in (source, target, kind, data)]
    result = _libc.mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3])
    _check(result, f"mount {kind or source or ''} on {target}")


def protect(target: str, *, writable: bool) -> None:
    """Allow no setuid programs and no devices on a mount and all below it, and no writes unless asked."""
    wanted = NOSUID | NODEV | (0 if writable else RDONLY)
    attributes = _MountAttributes(wanted, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        target.encode(),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
    if result != 0:
        # Before Linux 5.12; the flags a mount came with must be repeated or a user namespace is refused.
        inherited = os.statvfs(target).f_flag & (NOSUID | NODEV | NOEXEC)
        mount(None, target, None, BIND | REMOUNT | wanted | inherited)


def pivot_root(new_root: str) -> None:
    """Make `new_root` the root of this mount namespace and let go of the old one."""
    os.chdir(new_root)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", ctypes.c_int(DETACH)), "umount2")
    os.chdir("/")


def _prctl(option: int, value: int) -> int:
    zero = ctypes.c_ulong(0)
    return int(_libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero))


def die_with_parent(signal: int) -> None:
    """Send this process `signal` when its parent ends; lost when the user id changes."""
    _check(_prctl(_SET_PDEATHSIG, signal), "prctl")


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parents end."""
    _check(_prctl(_SET_CHILD_SUBREAPER, 1), "prctl")


def hide_memory() -> None:
    """Let no process of the same user read this one's memory."""
    _check(_prctl(_SET_DUMPABLE, 0), "prctl")


def give_up_privileges() -> None:
    """Drop every capability that a program could gain, for this process and its children, for good."""
    capability = 0
    while _prctl(_CAPBSET_DROP, capability) == 0:
        capability += 1
    _check(_prctl(_SET_NO_NEW_PRIVS, 1), "prctl")


def loopback_up(descriptor: int) -> None:
    """Switch on the loopback interface of the network namespace that a socket belongs to."""
    request = bytearray(b"lo".ljust(16, b"\0") + bytes(24))
    fcntl.ioctl(descriptor, _SIOCGIFFLAGS, request)
    request[16] |= _UP
    fcntl.ioctl(descriptor, _SIOCSIFFLAGS, request)
