"""
The system calls that agents in containers may make: what ordinary programs need, and no more.

Engines bring a filter of their own, but older ones let through what reaches past a container's network:
sockets to the hypervisor (`AF_VSOCK`), which no network namespace holds back, and the kernel's crypto.
Namespaces, mounts, modules, keys, tracing, `bpf`, `perf`, `userfaultfd` and `io_uring` are not in the list.
What is not in the list fails with EPERM, and `clone3` with ENOSYS, so that C libraries fall back to `clone`,
whose flags a filter can read.
"""

import json
from typing import Any

FILES = """
access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat
faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat
fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs
fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr inotify_add_watch
inotify_init inotify_init1 inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listxattr
llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat
name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile sendfile64
setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee
truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev
"""
MEMORY = """
brk get_mempolicy madvise map_shadow_stack mbind membarrier memfd_create mincore mlock mlock2 mlockall
mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
remap_file_pages set_mempolicy shmat shmctl shmdt shmget
"""
PROCESSES = """
arch_prctl capget capset execve execveat exit exit_group fork vfork getcpu getegid getegid32 geteuid
geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid
getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32 get_robust_list
get_thread_area ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self modify_ldt pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq
sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
sched_setparam sched_setscheduler sched_yield seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid
setgid32 setgroups setgroups32 setitimer getitimer setpgid setpriority setregid setregid32 setresgid
setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid set_thread_area
set_tid_address setuid setuid32 sigaltstack sysinfo tgkill times tkill ugetrlimit uname wait4 waitid
waitpid
"""
EVENTS = """
alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
clock_nanosleep_time64 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
epoll_wait epoll_wait_old eventfd eventfd2 futex futex_requeue futex_time64 futex_wait futex_waitv
futex_wake getrandom gettimeofday io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd
nanosleep _newselect pause pipe pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 rt_sigaction
rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
rt_sigtimedwait_time64 rt_tgsigqueueinfo select semctl semget semop semtimedop semtimedop_time64
sigaction signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend time timer_create
timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64
"""
NETWORK = """
accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair
"""
UNIX, INET, INET6, NETLINK = 1, 2, 10, 16
# CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
NAMESPACES = 0x7E020000
ENOSYS = 38
LINUX, PER_LINUX32, UNAME26, QUERY = 0x0, 0x8, 0x20000, 0xFFFFFFFF


def profile() -> str:
    """The filter as engines take it."""
    groups = (FILES, MEMORY, PROCESSES, EVENTS, NETWORK)
    rules: list[dict[str, Any]] = [
        {"names": sorted(" ".join(groups).split()), "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS},
        _only("clone", NAMESPACES, "SCMP_CMP_MASKED_EQ", 0),
        *(_only("socket", family, "SCMP_CMP_EQ") for family in (UNIX, INET, INET6, NETLINK)),
        *(_only("personality", one, "SCMP_CMP_EQ") for one in (LINUX, PER_LINUX32, UNAME26, QUERY)),
    ]
    architectures = [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    ]
    return json.dumps(
        {"defaultAction": "SCMP_ACT_ERRNO", "archMap": architectures, "syscalls": rules}, sort_keys=True
    )


def _only(name: str, value: int, comparison: str, second: int | None = None) -> dict[str, Any]:
    argument = {"index": 0, "value": value, "op": comparison}
    if second is not None:
        argument["valueTwo"] = second
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument]}
