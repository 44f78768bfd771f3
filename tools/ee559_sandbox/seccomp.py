"""seccomp: which system calls a sandboxed process may make.

The filter is ours, in classic BPF through ctypes. No library would do: `pyseccomp` needs libseccomp on the machine and
had its last release in 2021, and what we need is some two hundred instructions. It names what is refused; calls newer
than the ones that we have judged do not exist at all.
"""

import ctypes
import errno
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from ee559_sandbox.kernel_calls import MACHINE, syscall
from ee559_sandbox.syscalls import BOTH, LAST_KNOWN, number_of

KILL, ALLOW, ERRNO = 0x80000000, 0x7FFF0000, 0x00050000
REFUSE, ABSENT, PRETEND = ERRNO | errno.EPERM, ERRNO | 38, ERRNO
"""Verdicts: the call fails with EPERM, with ENOSYS, or does nothing and returns 0."""

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SECCOMP = {"x86_64": 317, "aarch64": 277}
SET_MODE_FILTER, SPEC_ALLOW = 1, 4
X32 = 0x40000000
NUMBER, ARCH, ARGUMENTS = 0, 4, 16
LOAD, EQUAL, GREATER, AT_LEAST, ANY_BIT, AND, JUMP, RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x54, 0x05, 0x06

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""


@dataclass(frozen=True)
class Check:
    """Judge a system call by one argument, of which the low 32 bits count: the kernel takes these as ints.

    Args:
        argument: which one, from 0.
        values: the values (or, if ``bits``, the bits) that are meant.
        allow: whether these are allowed and others refused, or the other way round.
        bits: whether any of the bits in ``values`` decides.
        mask: the bits that are compared.
        refusal: the verdict for what is not allowed.
    """

    argument: int
    values: tuple[int, ...]
    allow: bool = False
    bits: bool = False
    mask: int = 0xFFFFFFFF
    refusal: int = REFUSE


NEW_NAMESPACES_OR_CLONE_PARENT = 0x7E02_8000
TERMINAL_AND_PIPE_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, TIOCGWINSZ, FIONREAD, FIO…CLEX
SIGNAL_OWNERS_LEASES_NOTICES = (8, 10, 15, 1024, 1026)  # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY
PR_SET_PDEATHSIG, PERSONALITY_QUERY = 1, 0xFFFFFFFF

CHECKS: dict[str, tuple[Check, ...]] = {
    "fcntl": (Check(1, SIGNAL_OWNERS_LEASES_NOTICES),),
    "ioctl": (Check(1, TERMINAL_AND_PIPE_IOCTLS, allow=True, refusal=ERRNO | errno.ENOTTY),),
    "clone": (Check(0, (NEW_NAMESPACES_OR_CLONE_PARENT,), bits=True),),
    "prctl": (Check(0, (PR_SET_PDEATHSIG,)),),
    "personality": (Check(0, (PERSONALITY_QUERY,), allow=True),),
    # asyncio wakes itself through a pair of streams; a pair of datagram sockets could be led elsewhere.
    "socketpair": (Check(0, (1,), allow=True), Check(1, (1,), allow=True, mask=0xF)),
    # Without an address only: it lies in the process's memory, so no filter could read it.
    "sendto": (Check(4, (0,), allow=True), Check(5, (0,), allow=True)),
    "prlimit64": (Check(0, (0,), allow=True),),
    "sched_setaffinity": (Check(0, (0,), allow=True),),
}
"""System calls that are judged by their arguments: every check must allow them."""

NETWORK = "socket connect bind listen accept accept4"
OTHER_PROCESSES = (
    "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease pidfd_getfd pidfd_send_signal kcmp "
    "migrate_pages move_pages rt_sigqueueinfo rt_tgsigqueueinfo setpriority ioprio_set sched_setscheduler "
    "sched_setparam sched_setattr"
)
OUTLIVING = (
    "shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_notify "
    "mq_getsetattr mq_timedsend mq_timedreceive keyctl add_key request_key"
)
KERNEL = (
    "bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register modify_ldt uselib sysfs "
    "lookup_dcookie nfsservctl syslog lsm_set_self_attr"
)
FILE_SYSTEMS = (
    "mount umount2 move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr pivot_root chroot unshare setns "
    "statmount listmount name_to_handle_at open_by_handle_at fanotify_init fanotify_mark inotify_init inotify_init1 "
    "quotactl quotactl_fd setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr"
)
MACHINE_WIDE = (
    "kexec_load kexec_file_load reboot swapon swapoff init_module finit_module delete_module acct settimeofday "
    "clock_settime clock_adjtime adjtimex sethostname setdomainname iopl ioperm vhangup"
)
REFUSED = " ".join((NETWORK, OTHER_PROCESSES, OUTLIVING, KERNEL, FILE_SYSTEMS, MACHINE_WIDE)).split()
UNKNOWN = ["clone3", "memfd_create", "memfd_secret"]  # glibc falls back to clone, whose flags can be seen

# All that a child starts stays in one process group: that is how it can be killed at one blow. And sync() is for all.
PRETENDED = ["setsid", "setpgid", "sync", "syncfs"]
# Landlock guards neither of these two. Mode and owner are pretended, because honest programs such as shutil.copy set
# them; times are refused, because Path.touch takes a success for a file that is there.
PROGRAMS = ["execve", "execveat"]
OWNERS = "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat"
TIMES = "utime utimes futimesat utimensat"


@functools.cache
def assemble(
    machine: str, own_files_only: bool, signals_to: int | None = None, programs: bool = True
) -> tuple[Instruction, ...]:
    """Write the filter.

    Args:
        machine: ``x86_64`` or ``aarch64``.
        own_files_only: the process can reach no other file of its user than those in its scratch folder, so it may
            change modes, owners and times.
        signals_to: the one process that may be signalled, or None where others keep signals inside.
        programs: the process and its children may start programs; they may fork all the same.
    """
    checks = dict(CHECKS)
    if signals_to is not None:
        checks["kill"] = (Check(0, (signals_to, 0), allow=True),)
        checks["tkill"] = checks["tgkill"] = (Check(0, (signals_to,), allow=True),)
    program: list[Instruction] = [
        (LOAD, 0, 0, ARCH),
        (EQUAL, 1, 0, ARCHITECTURE[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
    ]
    if machine == "x86_64":
        program += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL)]
    program += [(GREATER, 0, 1, LAST_KNOWN), (RETURN, 0, 0, ABSENT)]
    for name, needed in checks.items():
        body = [instruction for check in needed for instruction in _judge(check)] + [(RETURN, 0, 0, ALLOW)]
        program += [(EQUAL, 0, len(body), BOTH[name][machine == "aarch64"]), *body]
    program += _each(REFUSED, machine, REFUSE) + _each(UNKNOWN, machine, ABSENT) + _each(PRETENDED, machine, PRETEND)
    if not programs:
        program += _each(PROGRAMS, machine, REFUSE)
    if not own_files_only:
        program += _each(OWNERS.split(), machine, PRETEND) + _each(TIMES.split(), machine, REFUSE)
    return (*program, (RETURN, 0, 0, ALLOW))


def _judge(check: Check) -> list[Instruction]:
    """Go on behind the last instruction if the check allows the call, else return its refusal."""
    test = ANY_BIT if check.bits else EQUAL
    program: list[Instruction] = [(LOAD, 0, 0, ARGUMENTS + 8 * check.argument)]
    if check.mask != 0xFFFFFFFF:
        program.append((AND, 0, 0, check.mask))
    for place, value in enumerate(check.values):
        program.append((test, len(check.values) - place, 0, value))  # over the other tests and one instruction more
    if not check.allow:
        program.append((JUMP, 0, 0, 1))  # that one: nothing matched, so go over the refusal
    return [*program, (RETURN, 0, 0, check.refusal)]


def _each(names: Iterable[str], machine: str, verdict: int) -> list[Instruction]:
    numbers = [number for name in names if (number := number_of(name, machine)) is not None]
    return [instruction for number in numbers for instruction in ((EQUAL, 0, 1, number), (RETURN, 0, 0, verdict))]


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("true", ctypes.c_uint8),
        ("false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def install(own_files_only: bool, signals_to: int | None = None, programs: bool = True) -> None:
    """Filter this process's system calls from now on; needs PR_SET_NO_NEW_PRIVS."""
    program = assemble(MACHINE, own_files_only, signals_to, programs)
    instructions = (_Instruction * len(program))(*(_Instruction(*fields) for fields in program))
    filter_ = _Program(len(program), instructions)
    # SPEC_ALLOW: before Linux 5.16 a filter would slow the whole process down, and with it honest training.
    syscall(SECCOMP[MACHINE], SET_MODE_FILTER, SPEC_ALLOW, ctypes.addressof(filter_))
