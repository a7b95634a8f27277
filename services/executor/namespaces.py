"""
A process in namespaces of its own: user (when not root), mount, pid, network, ipc and host name.

`start` forks twice. The first child enters the namespaces and ends; the second is process 1 of the new
pid namespace, becomes the shim's child (the shim adopts orphans), builds the file system, starts the
agent and waits for it. Process 1 serves the shim over a socket: it makes sockets *inside* the network
namespace and hands them out, so that all relaying happens in the shim, with no second relay inside.

Messages to process 1: `S` a new socket is wanted · `K<signal>` signal the agent.
Messages from it: `P<pid>` its pid outside · `L` + listening sockets · `S` + a socket · `R` running ·
`E<text>` failed · `X<status>` ended.
"""
# The shim imports no pathlib, for its start-up time.
# ruff: noqa: PTH101, PTH102, PTH110, PTH112, PTH114, PTH115, PTH120, PTH211

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import errno
import os
import select
import sys

from services.executor import syscalls
from services.executor.plan import Plan

INSIDE_ID = 1000
WORK = "/agentplane"
# Bound from the host when it has them; links are copied as links.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
SETTINGS = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/alternatives", "/etc/ld.so.cache")
SETTINGS_TOO = ("/etc/localtime", "/etc/crypto-policies", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
DEVICES = ("null", "zero", "full", "random", "urandom")


def start(plan: Plan, stdio: tuple[int, int, int]) -> _socket.socket:
    """Start the agent in its namespaces; give the socket that speaks to their process 1."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            _close_all_but(theirs.fileno(), *stdio)
            join_cgroups(plan)
            _enter(plan)
            first = os.fork()
            if first == 0:
                _run_as_first(plan, theirs, stdio)
            theirs.send(b"P%d" % first)
        except BaseException as error:  # a forked child must never return into its parent's code
            theirs.send(b"E" + _text(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs.close()
    return ours


def _close_all_but(*kept: int) -> None:
    # What stays open here keeps the shim's files and pipes alive in process 1.
    lower = 3
    for descriptor in sorted(kept):
        os.closerange(lower, descriptor)
        lower = max(lower, descriptor + 1)
    os.closerange(lower, 1 << 16)


def join_cgroups(plan: Plan) -> None:
    """Move this process into the control groups of the plan."""
    for _, directory in plan.cgroups:
        _write(f"{directory}/cgroup.procs", "0")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _enter(plan: Plan) -> None:
    os.setsid()
    if plan.user_namespace:
        uid, gid = os.geteuid(), os.getegid()
        syscalls.unshare(syscalls.NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{INSIDE_ID} {uid} 1")
        _write("/proc/self/gid_map", f"{INSIDE_ID} {gid} 1")
    flags = syscalls.NEWNS | syscalls.NEWPID | syscalls.NEWIPC | syscalls.NEWUTS
    syscalls.unshare(flags | (syscalls.NEWNET if plan.private_network else 0))


def _run_as_first(plan: Plan, control: _socket.socket, stdio: tuple[int, int, int]) -> None:
    try:
        _build_root(plan)
        _socket.sethostname(plan.hostname[:63])
        if plan.private_network:
            _open_ports(plan, control)
        wake, ring = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(ring, False)
        _signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        agent = os.fork()
        if agent == 0:
            _signal.set_wakeup_fd(-1)
            become_agent(plan, control, stdio)
        for descriptor in set(stdio):
            os.close(descriptor)
        control.send(b"R")
        _serve(control, agent, wake)
    except BaseException as error:  # a forked child must never return into its parent's code
        control.send(b"E" + _text(error).encode())
    os._exit(1)


def become_agent(plan: Plan, control: _socket.socket, stdio: tuple[int, int, int]) -> None:
    """Turn this freshly forked process into the agent's program; never returns."""
    try:
        if plan.level != "namespaces":
            join_cgroups(plan)
        for number, descriptor in enumerate(stdio):
            os.dup2(descriptor, number, inheritable=True)
        for number in (_signal.SIGCHLD, _signal.SIGPIPE, _signal.SIGINT):
            _signal.signal(number, _signal.SIG_DFL)
        if os.getsid(0) != os.getpid():
            os.setsid()
        if plan.level != "none":
            syscalls.give_up_privileges()
        if plan.uid >= 0:
            os.setgroups([])
            os.setresgid(plan.gid, plan.gid, plan.gid)
            os.setresuid(plan.uid, plan.uid, plan.uid)
        if plan.level != "namespaces":
            syscalls.die_with_parent(_signal.SIGKILL)
        os.umask(0o077)
        os.chdir(plan.cwd)
        _execute(plan)
    except BaseException as error:  # a forked child must never return into its parent's code
        text = f"{plan.argv[0]} could not be started: {_text(error)}"
        os.write(2, text.encode() + b"\n")
        control.send(b"E" + text.encode())
    os._exit(127)


def _text(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def _execute(plan: Plan) -> None:
    # As `os.execvpe` does it, which imports a module that does not exist in the agent's file system.
    name = plan.argv[0]
    failure: OSError = FileNotFoundError(errno.ENOENT, "no such program")
    for directory in [""] if "/" in name else plan.env.get("PATH", os.defpath).split(":"):
        try:
            os.execve(f"{directory}/{name}" if directory else name, plan.argv, plan.env)  # noqa: S606
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            failure = error
    raise failure


def _serve(control: _socket.socket, agent: int, wake: int) -> None:
    """Wait for the agent, reap orphans, and serve the shim; when the shim is gone, so is everything here."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if wake in ready:
            os.read(wake, 4096)
        while (ended := _reap()) is not None:
            if ended[0] == agent:
                control.send(b"X%d" % ended[1])
                os._exit(0)
        if control.fileno() in ready:
            message = control.recv(64)
            if not message:
                os._exit(1)
            if message[:1] == b"S":
                _hand_over(control, b"S", [_tcp_socket()])
            elif message[:1] == b"K":
                os.kill(agent, int(message[1:]))


def _reap() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _tcp_socket() -> _socket.socket:
    return _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)


def _open_ports(plan: Plan, control: _socket.socket) -> None:
    probe = _tcp_socket()
    syscalls.loopback_up(probe.fileno())
    probe.close()
    listening = []
    for port, _ in plan.forwards:
        listener = _tcp_socket()
        listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        listening.append(listener)
    _hand_over(control, b"L", listening)


def _hand_over(control: _socket.socket, kind: bytes, sockets: list[_socket.socket]) -> None:
    descriptors = b"".join(one.fileno().to_bytes(4, sys.byteorder) for one in sockets)
    control.sendmsg([kind], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)] if sockets else [])
    for one in sockets:
        one.close()


def _build_root(plan: Plan) -> None:
    root = plan.root_dir
    syscalls.mount(None, "/", None, syscalls.REC | syscalls.PRIVATE)
    plain = syscalls.NOSUID | syscalls.NODEV
    syscalls.mount("tmpfs", root, "tmpfs", plain, "mode=755,size=8m,nr_inodes=8k")
    for path in SYSTEM + SETTINGS + SETTINGS_TOO:
        _same_as_host(root, path)
    _make_devices(root)
    # Before the binds, some of which may lie below /tmp.
    for path, size in (("/tmp", plan.temporary_bytes), ("/dev/shm", plan.temporary_bytes)):  # noqa: S108
        _directory(root + path)
        syscalls.mount("tmpfs", root + path, "tmpfs", plain, f"mode=1777,size={size}")
    for source, target, writable in plan.binds:
        _bind(source, root + target, writable)
    _directory(root + "/proc")
    syscalls.mount("proc", root + "/proc", "proc", plain | syscalls.NOEXEC)
    for path, target in plan.links:
        _directory(os.path.dirname(root + path))
        os.symlink(target, root + path)
    for path, text in plan.files:
        _file(root + path)
        _write(root + path, text)
        os.chmod(root + path, 0o644)
    # Only the root itself: what is mounted below keeps its own mode.
    syscalls.mount(None, root, None, syscalls.BIND | syscalls.REMOUNT | syscalls.RDONLY | plain)
    syscalls.pivot_root(root)


def _same_as_host(root: str, path: str) -> None:
    if os.path.islink(path):
        _directory(os.path.dirname(root + path))
        os.symlink(os.readlink(path), root + path)
    elif os.path.exists(path):
        _bind(path, root + path, writable=False)


def _bind(source: str, target: str, writable: bool) -> None:
    if os.path.isdir(source):
        _directory(target)
    else:
        _file(target)
    syscalls.mount(source, target, None, syscalls.BIND | syscalls.REC)
    syscalls.protect(target, writable=writable)


def _make_devices(root: str) -> None:
    _directory(root + "/dev")
    syscalls.mount("tmpfs", root + "/dev", "tmpfs", syscalls.NOSUID, "mode=755,size=64k")
    for name in DEVICES:
        _file(f"{root}/dev/{name}")
        syscalls.mount(f"/dev/{name}", f"{root}/dev/{name}", None, syscalls.BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{root}/dev/{name}")


def _directory(path: str) -> None:
    # `os.makedirs` would apply the umask to the parents.
    if not os.path.isdir(path):
        _directory(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, 0o755)  # noqa: S103 - a directory of the agent's root


def _file(path: str) -> None:
    _directory(os.path.dirname(path))
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))
