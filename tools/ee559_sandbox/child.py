"""What a forked child does, once, before it runs code that nobody vouches for."""

import ctypes
import os
import re
import signal
import stat
import sys
import tempfile
import zlib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ee559_sandbox import landlock, seccomp
from ee559_sandbox.confinement import Confinement
from ee559_sandbox.environment import server_environment
from ee559_sandbox.kernel_calls import (
    CAP_DAC_READ_SEARCH,
    LINUX,
    PR_SET_DUMPABLE,
    PR_SET_KEEPCAPS,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    libc,
    prctl,
    set_capabilities,
)
from ee559_sandbox.limits import Limits
from ee559_sandbox.scratch import fix_size

FIRST_UID, NB_UIDS = 2_100_000_000, 40_000_000
"""User numbers for sandboxed processes: above those of containers and of directory services, and within 31 bits."""
NOBODY = 65534


def confine(
    confinement: Confinement,
    scratch: Path,
    readable: Sequence[Path],
    limits: Limits | None = None,
    keep_fds: Collection[int] = (),
    *,
    keep_variables: Iterable[str] = (),
    programs: bool = True,
) -> None:
    """Give up, for ever, all that a process can work without. For a forked child with one thread, before other code.

    Whatever the server's memory held at the fork can be read by that code: it must be nothing secret. And without
    namespaces a path that is known can still be asked for its size and time, though not be opened.

    Honest work goes on: threads, ``subprocess``, ``asyncio``, files in the scratch folder. Not so pseudo-terminals
    (IPython's ``!ls`` by default), ``multiprocessing`` pools and queues, data loaders with workers: they need devices
    and shared memory that outlive a process.

    Args:
        confinement: the one that :func:`server_command` had; each thing that it names is used, and must work.
        scratch: the folder of this process alone, empty but for its files; it becomes the working folder, the home,
            and the only place that can be written to. Its name should be hard to guess, in a folder of mode 0711.
        readable: what may be read, see :func:`default_readable`.
        limits: how much may be used.
        keep_fds: the open files to keep; of 0, 1 and 2 the others become /dev/null.
        keep_variables: names of the environment variables to keep, see :func:`server_environment`.
        programs: whether this process and its children may start programs. If not, that fails with EPERM, where
            there is seccomp; they may fork all the same.

    Raises:
        OSError, RuntimeError: a part does not work. The child must end then, and run nothing.
    """
    limits = limits or Limits()
    parent = os.getppid()
    scratch = scratch.resolve()
    _close_files(keep_fds)
    os.setsid()
    os.umask(0o077)
    if LINUX:
        prctl(PR_SET_DUMPABLE, 1)  # the server is not: without this the child's own /proc/self would be root's
        _volunteer_for_the_memory_killer()
        if len(os.listdir("/proc/self/task")) != 1:
            raise RuntimeError(
                "confine() binds one thread, and this process has more. Fork from a single-threaded one."
            )
    if confinement.fixed_scratch:
        fix_size(scratch, limits)
    (scratch / ".tmp").mkdir(exist_ok=True)
    os.chdir(scratch)
    _scrub_environment(scratch, keep_variables)
    uid = _find_uid(scratch) if confinement.drops_privileges and os.geteuid() == 0 else None
    ruleset = landlock.make_ruleset(readable, [scratch]) if confinement.landlock else None
    _limit_resources(confinement, limits, uid)
    if uid is not None:
        _become(uid, scratch, readable)
    if LINUX:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which would clear it
        if os.getppid() != parent:
            os._exit(1)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    if ruleset is not None:
        landlock.restrict(ruleset)
    if confinement.seccomp:
        alone = uid not in (None, NOBODY)  # then it has a user of its own, who owns no other file and no other process
        signals_to = None if confinement.landlock or alone else os.getpid()
        seccomp.install(alone or confinement.namespaces, signals_to, programs)


def _close_files(keep: Collection[int]) -> None:
    """Close every file but these; a closed 0, 1 or 2 would be handed out again, so /dev/null takes its place."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        if fd not in keep:
            os.dup2(null, fd)
    try:
        most = 1 + max((int(name) for name in os.listdir("/proc/self/fd" if LINUX else "/dev/fd")), default=3)
    except OSError:
        most = os.sysconf("SC_OPEN_MAX")
    start = 3
    for fd in sorted(fd for fd in keep if fd >= 3):
        os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, max(start, most))


def _scrub_environment(scratch: Path, keep: Iterable[str]) -> None:
    """Leave only our variables: in Python, in C, and in the memory that /proc/self/environ shows."""
    values = server_environment(scratch, keep)
    os.environ.clear()
    vars(sys.modules[os.name]).get("environ", {}).clear()  # the variables as they were when Python started
    if LINUX:
        libc().clearenv()
        start, end = (int(field) for field in Path("/proc/self/stat").read_text().rpartition(")")[2].split()[47:49])
        if start:
            ctypes.memset(start, 0, end - start)
    os.environ.update(values)
    tempfile.tempdir = None


def _volunteer_for_the_memory_killer() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return  # a container may forbid it; the limits hold all the same


def _limit_resources(confinement: Confinement, limits: Limits, uid: int | None) -> None:
    if sys.platform == "win32":
        return
    import resource

    def limit(kind: int, soft: int, hard: int) -> None:
        most = resource.getrlimit(kind)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kind, (soft, hard))

    limit(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)
    limit(resource.RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes)
    limit(resource.RLIMIT_NOFILE, limits.open_files, limits.open_files)
    limit(resource.RLIMIT_CORE, 1, 1)  # not 0: that would still send a core to a program that collects cores
    if LINUX:
        # Not RLIMIT_DATA: shared anonymous memory, which is Python's mmap(-1, n), would not count.
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + limits.memory_bytes
        limit(resource.RLIMIT_AS, most, most)
        if uid is not None and uid != NOBODY:
            limit(resource.RLIMIT_NPROC, limits.processes, limits.processes)
        elif os.geteuid() != 0 and not confinement.cgroup_version:
            alone = confinement.fixed_scratch and _counts_by_namespace()
            most = limits.processes if alone else _count_tasks(os.getuid()) + limits.processes
            limit(resource.RLIMIT_NPROC, most, most)


def _counts_by_namespace() -> bool:
    """Whether RLIMIT_NPROC is compared with the processes of this user namespace alone: since Linux 5.14."""
    return tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2]) >= (5, 14)


def _count_tasks(uid: int) -> int:
    """Number of processes and threads of a user: what RLIMIT_NPROC is compared with."""
    total = 0
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                status = Path(entry.path, "status").read_text()
            except OSError:
                continue
            if status.partition("\nUid:")[2].split(None, 1)[0] == str(uid):
                total += int(status.partition("\nThreads:")[2].split(None, 1)[0])
    return total


def _find_uid(scratch: Path) -> int:
    """A user number for this scratch folder alone, or nobody's where a container has too few."""
    wanted = FIRST_UID + zlib.crc32(os.fsencode(scratch)) % NB_UIDS
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        start, _, count = map(int, line.split())
        if start <= wanted < start + count:
            return wanted
    return NOBODY


def _become(uid: int, scratch: Path, readable: Iterable[Path]) -> None:
    """Stop being root. Where Python lies in root's home, keep the one right to read: Landlock says what."""
    os.chown(scratch, uid, uid)
    for folder, folders, files in os.walk(scratch):
        for name in folders + files:
            os.chown(os.path.join(folder, name), uid, uid, follow_symlinks=False)
    os.setgroups([])
    keeps_reading = _are_hidden(readable, scratch)
    if keeps_reading:
        prctl(PR_SET_KEEPCAPS, 1)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    set_capabilities(1 << CAP_DAC_READ_SEARCH if keeps_reading else 0)
    prctl(PR_SET_DUMPABLE, 1)
    if 0 in (*os.getresuid(), *os.getresgid()):
        raise RuntimeError("this process is still root")


def _are_hidden(paths: Iterable[Path], scratch: Path) -> bool:
    """Whether a user without rights would be refused one of these paths, or a folder on the way to one."""
    passed: set[str] = set()
    own = os.path.realpath(scratch)
    for path in (own, *map(os.path.realpath, paths)):
        try:
            mode = os.stat(path).st_mode
        except OSError:
            continue
        if path.startswith("/proc/"):
            continue
        needed = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
        if path != own and mode & needed != needed:
            return True
        while (path := os.path.dirname(path)) not in passed:
            passed.add(path)
            if not os.stat(path).st_mode & stat.S_IXOTH:
                return True
    return False
