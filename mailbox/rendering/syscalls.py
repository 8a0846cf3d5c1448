"""The system calls that the confined process may make: to read, to compute, and to write to open files.

Every other call fails with ENOSYS. libseccomp compiles the filter, and the process loads it itself (`child`).
"""

import errno
import os
from functools import lru_cache
from typing import Any, Final

_READING: Final = (
    "read pread64 readv preadv preadv2 lseek _llseek close fstat fstat64 newfstatat fstatat64 stat "
    "stat64 lstat lstat64 statx access faccessat faccessat2 readlink readlinkat getdents getdents64 "
    "getcwd fcntl fcntl64 dup dup2 dup3 fadvise64 fadvise64_64 statfs statfs64 fstatfs fstatfs64 poll "
    "ppoll select pselect6"
)
_WRITING_TO_WHAT_IS_OPEN: Final = "write writev"
_MEMORY: Final = "mmap mmap2 munmap mremap mprotect brk madvise"
_ITSELF: Final = (
    "futex set_robust_list get_robust_list rseq set_tid_address sched_yield sched_getaffinity gettid "
    "getpid rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack exit exit_group restart_syscall "
    "arch_prctl getrandom clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times "
    "getrusage getrlimit ugetrlimit getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 "
    "getresuid getresgid uname sysinfo"
)
# A thread shares memory with its process; with any other of these flags it would be more than a thread.
_CLONE_VM: Final = 0x00000100
_CLONE_THREAD: Final = 0x00010000
_CLONE_NEW: Final = 0x7E020080
_TCGETS: Final = 0x5401
_FIOCLEX: Final = 0x5451
_TO_WRITE: Final = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@lru_cache(maxsize=1)
def filter_program() -> bytes:
    """The filter as instructions for the kernel; empty where the machine has no libseccomp."""
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError):
        return b""
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))

    def allow(name: str, *conditions: object) -> None:
        # Calls that this machine does not have are skipped.
        if seccomp.resolve_syscall(seccomp.system_arch(), name) >= 0:
            rules.add_rule(seccomp.ALLOW, name, *conditions)

    for name in f"{_READING} {_WRITING_TO_WHAT_IS_OPEN} {_MEMORY} {_ITSELF}".split():
        allow(name)
    allow("open", seccomp.Arg(1, seccomp.MASKED_EQ, _TO_WRITE, os.O_RDONLY))
    allow("openat", seccomp.Arg(2, seccomp.MASKED_EQ, _TO_WRITE, os.O_RDONLY))
    allow("ioctl", seccomp.Arg(1, seccomp.EQ, _TCGETS))
    allow("ioctl", seccomp.Arg(1, seccomp.EQ, _FIOCLEX))
    # For its own limits only.
    allow("prlimit64", seccomp.Arg(0, seccomp.EQ, 0))
    is_thread = _CLONE_VM | _CLONE_THREAD
    allow("clone", seccomp.Arg(0, seccomp.MASKED_EQ, is_thread | _CLONE_NEW, is_thread))
    return _exported(rules)


def _exported(rules: Any) -> bytes:
    descriptor = os.memfd_create("filter", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "w+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
