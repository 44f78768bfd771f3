"""The server's side: its own protection, and the end of a child, of which nothing may be left."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from ee559_sandbox import seccomp
from ee559_sandbox.cgroup import Cgroup
from ee559_sandbox.kernel_calls import LINUX, MACHINE, PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE, prctl

if TYPE_CHECKING:
    import resource

SECONDS_TO_DIE = 0.1
"""After this time, what is still there is looked for one by one."""


@dataclass(frozen=True)
class ProcessExit:
    """How a sandboxed process ended.

    Args:
        status: exit status of its first process, negative for a signal, None if it could not be collected.
        killed: whether it was still running, so that the status is our signal.
        cpu_seconds: CPU time of all its processes that were collected, by their parents or by us.
        peak_bytes: the most memory that one of them held.
        nb_left: how many processes could not be ended; 0 unless the kernel keeps one in an endless wait.
    """

    status: int | None
    killed: bool
    cpu_seconds: float
    peak_bytes: int
    nb_left: int = 0


def prepare_server() -> None:
    """Call once when a fork server starts, before the first fork.

    Orphans of a child become the server's children, so that it can end them; the server's memory and environment
    cannot be read by other processes of the same user; and its folder for temporary files exists.
    """
    with contextlib.suppress(KeyError, OSError):
        os.makedirs(os.environ["TMPDIR"], exist_ok=True)
    if LINUX:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_DUMPABLE, 0)
    if MACHINE:
        for own_files_only, programs in product((True, False), repeat=2):
            seccomp.assemble(MACHINE, own_files_only, None, programs)  # once here rather than in each child


def kill_process_tree(child: int, cgroup: Cgroup | None = None, patience: float = 5.0) -> ProcessExit:
    """Kill and collect a child and every process that it started, however it hid. For the server.

    The server may have no other child. A sandboxed process cannot leave its group (see seccomp's filter), and the
    kernel signals a group at one blow, so that no race of forks escapes; what is left without that filter is stopped,
    then killed, until nothing is. To know that the child has ended without collecting it, wait with
    ``os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)``.

    Args:
        child: the forked child, best not collected yet: its status and CPU time would be missing from the answer.
        cgroup: its group, if it is in one.
        patience: seconds after which to give up.
    """
    started = time.monotonic()
    collected: list[Collected] = []
    killed, gone = False, False
    try:
        if first := _collect(child):
            collected.append(first)
        killed = first is None
    except ChildProcessError:
        gone = True
    while True:
        if not gone and not any(pid == child for pid, _, _ in collected):
            _send(os.kill, child, signal.SIGKILL)  # it may have been caught before it made its group
        _send(os.killpg, child, signal.SIGKILL)
        if cgroup is not None:
            cgroup.kill()
        try:
            while one := _collect(-1):
                collected.append(one)
        except ChildProcessError:
            return _sum_up(child, collected, killed)
        elapsed = time.monotonic() - started
        if elapsed > patience:
            return replace(_sum_up(child, collected, killed), nb_left=len(_find_descendants(os.getpid())))
        if elapsed > SECONDS_TO_DIE:
            _kill_descendants()
        time.sleep(0.0005 if elapsed < SECONDS_TO_DIE else 0.01)


Collected = tuple[int, int, "resource.struct_rusage"]


def _collect(pid: int) -> Collected | None:
    """Collect this process, or any child for −1, if it has ended."""
    found = os.wait4(pid, os.WNOHANG)
    return found if found[0] else None


def _sum_up(child: int, collected: list[Collected], killed: bool) -> ProcessExit:
    usages = [usage for _, _, usage in collected]
    return ProcessExit(
        next((os.waitstatus_to_exitcode(status) for pid, status, _ in collected if pid == child), None),
        killed,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        max((usage.ru_maxrss for usage in usages), default=0) * (1024 if LINUX else 1),
    )


def _kill_descendants() -> None:
    """Kill what is still below this process; stopped first, so that it does not fork while we look."""
    seen: set[int] = set()
    while found := _find_descendants(os.getpid()) - seen:
        for pid in found:
            _send(os.kill, pid, signal.SIGSTOP)
        seen |= found
    for pid in seen:
        _send(os.kill, pid, signal.SIGKILL)


def _send(kill: Callable[[int, int], None], target: int, number: int) -> None:
    try:
        kill(target, number)
    except (ProcessLookupError, PermissionError):
        return


def _find_descendants(root: int) -> set[int]:
    import psutil  # the probe imports this package where only the standard library is

    try:
        return {process.pid for process in psutil.Process(root).children(recursive=True)}
    except psutil.Error:
        return set()
