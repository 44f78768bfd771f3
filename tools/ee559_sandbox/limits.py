"""How much a sandboxed process may use, and what it uses, where the kernel does not add that up."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ee559_sandbox.kernel_calls import LINUX

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """How much one process, with all that it starts, may use.

    Args:
        cpu_seconds: CPU time of each of its processes, in seconds.
        memory_bytes: memory, in bytes; of all its processes where there is a cgroup, else of each on top of what the
            server had.
        file_bytes: the largest file, and all files together, in bytes; deleted files that are still in use count.
        files: number of files and folders in the scratch folder.
        processes: number of processes and threads at a time.
        open_files: number of open files of each process.
        seconds: wall-clock time, which the caller has to look at: :func:`confine` does not.
    """

    cpu_seconds: int = 300
    memory_bytes: int = 4096 * MIB
    file_bytes: int = 512 * MIB
    files: int = 20_000
    processes: int = 64
    open_files: int = 256
    seconds: float = 1800.0


@dataclass(frozen=True)
class Usage:
    """What a process, with all that it started, uses right now.

    Args:
        file_bytes: bytes on the disk, deleted files that are still open included.
        files: files and folders in the scratch folder.
        memory_bytes: memory of all its processes.
        processes: their number.
        cpu_seconds: their CPU time, and that of children which they have collected.
    """

    file_bytes: int
    files: int
    memory_bytes: int
    processes: int
    cpu_seconds: float

    def exceeded(self, limits: Limits) -> str:
        """Name of the limit that is exceeded, empty if none is."""
        for name in ("file_bytes", "files", "memory_bytes"):
            if getattr(self, name) > getattr(limits, name):
                return name
        return ""


def find_usage(scratch: Path, child: int, limits: Limits) -> Usage:
    """Measure a running child; for the server, now and then (some milliseconds).

    The kernel's limits hold for each process and each file. Their sums it limits only where there is a cgroup (memory)
    and a scratch folder of fixed size (files; seen from outside, that folder is empty). Elsewhere the server must look,
    and end a child that exceeds them. Memory counts what the child shares with the server as well, as long as it
    has not written to it. What several processes share counts for each of them, unless that would be too much.
    """
    file_bytes, files = _measure_folder(scratch, limits)
    memory = ticks = 0
    processes: list[int] = []
    deleted: dict[tuple[int, int], int] = {}
    page = os.sysconf("SC_PAGE_SIZE")
    for pid, fields in _read_stat():
        if int(fields[2]) == child:
            memory += int(fields[21]) * page
            ticks += sum(map(int, fields[11:15]))
            processes.append(pid)
            deleted |= _find_deleted(pid)
    file_bytes += sum(deleted.values())
    if memory > limits.memory_bytes and len(processes) > 1:
        memory = sum(map(_measure_share, processes)) or memory
    return Usage(file_bytes, files, memory, len(processes), ticks / os.sysconf("SC_CLK_TCK"))


def _measure_folder(scratch: Path, limits: Limits) -> tuple[int, int]:
    """Bytes and number of the files in a folder; stops where a limit is exceeded."""
    size = number = 0
    unseen = [str(scratch)]
    while unseen and size <= limits.file_bytes and number <= limits.files:
        try:
            with os.scandir(unseen.pop()) as entries:
                for entry in entries:
                    number += 1
                    found = entry.stat(follow_symlinks=False)
                    size += found.st_blocks * 512
                    if stat.S_ISDIR(found.st_mode):
                        unseen.append(entry.path)
                    if number > limits.files:
                        break
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                continue
            number += limits.files  # a path too long for the kernel, or a folder that is shut: no honest work
    return size, number


def _find_deleted(pid: int) -> dict[tuple[int, int], int]:
    """Bytes of each file that a process holds open after it was deleted, under device and number."""
    folder = f"/proc/{pid}/fd"
    sizes: dict[tuple[int, int], int] = {}
    try:
        for name in os.listdir(folder):
            found = os.stat(f"{folder}/{name}")
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
                sizes[found.st_dev, found.st_ino] = found.st_blocks * 512
    except OSError:
        return sizes
    return sizes


def _measure_share(pid: int) -> int:
    """Bytes of memory of a process, of which what it shares with others counts in parts; it takes milliseconds."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended, or it cannot be looked into
        return 0
    return int(text.partition("\nPss:")[2].split(None, 1)[0]) * 1024


def _read_stat() -> Iterator[tuple[int, list[str]]]:
    """Number of each process, and the fields of its /proc/…/stat from the state on."""
    if not LINUX:
        return
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = Path(entry.path, "stat").read_text(errors="replace")
            except OSError:
                continue
            yield int(entry.name), text.rpartition(")")[2].split()
