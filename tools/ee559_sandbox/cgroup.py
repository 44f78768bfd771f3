"""A control group for one process: memory and processes counted over all that it starts."""

import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ee559_sandbox.confinement import Confinement
from ee559_sandbox.limits import Limits

ROOT = Path("/sys/fs/cgroup")
HOME, GROUP = "ee559-sandbox-", "process-"  # how the names of the folders begin


class Cgroup:
    """A group with the limits of one process; on leaving, all in it is killed and its folders are removed.

    ::

        with Cgroup(confinement, limits) as group:
            ...  # in the forked child, before confine(): group.add(os.getpid())

    Where ``confinement`` has no cgroup, it does nothing.

    Args:
        confinement: names the version and the folders in which to make the group.
        limits: ``memory_bytes`` and ``processes`` hold for the whole group.
    """

    def __init__(self, confinement: Confinement, limits: Limits) -> None:
        name = f"{GROUP}{secrets.token_hex(6)}"
        self.version = confinement.cgroup_version
        self.limits = limits
        self.folders = [Path(parent, name) for parent in confinement.cgroup_parents] if self.version else []

    def __enter__(self) -> "Cgroup":
        """Make the group."""
        self.create()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill what is in the group, and remove it."""
        self.remove()

    def create(self) -> None:
        """Make the group's folders and set its limits; on an error nothing is left of it."""
        try:
            for folder in self.folders:
                folder.mkdir()
            if self.folders:
                self._set_limits()
        except OSError:
            self.remove()
            raise

    def remove(self) -> None:
        """Kill what is in the group, and remove its folders."""
        self.kill()
        for folder in self.folders:
            for _ in range(500):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:  # a process is not wholly gone yet
                    self.kill()
                    time.sleep(0.002)
                else:
                    break

    def _set_limits(self) -> None:
        memory, processes = self.folders[0], self.folders[-1]
        if self.version == 2:
            (memory / "memory.max").write_text(str(self.limits.memory_bytes))
            _try_to_write(memory / "memory.swap.max", "0")
            _try_to_write(memory / "memory.oom.group", "0")
        else:
            (memory / "memory.limit_in_bytes").write_text(str(self.limits.memory_bytes))
            _try_to_write(memory / "memory.memsw.limit_in_bytes", str(self.limits.memory_bytes))
        (processes / "pids.max").write_text(str(self.limits.processes))

    def add(self, pid: int) -> None:
        """Move a process into the group; what it starts from now on is born there."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def processes(self) -> list[int]:
        """Numbers of the processes in the group."""
        found: set[int] = set()
        for folder in self.folders:
            try:
                found.update(map(int, (folder / "cgroup.procs").read_text().split()))
            except OSError:
                continue
        return sorted(found - {0})

    def peak_bytes(self) -> int | None:
        """The most memory that the group has used, None where nobody counts it."""
        name = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"
        try:
            return int((self.folders[0] / name).read_text())
        except (OSError, IndexError):
            return None

    def nb_killed_for_memory(self) -> int:
        """How many of its processes the kernel killed because the memory was used up."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        try:
            words = (self.folders[0] / name).read_text().split()
        except (OSError, IndexError):
            return 0
        return int(dict(zip(words[::2], words[1::2], strict=False)).get("oom_kill", 0))

    def kill(self) -> None:
        """Kill all processes in the group. None can be born meanwhile: first the group may have no more."""
        for folder in self.folders:
            _try_to_write(folder / "pids.max", "0")
            _try_to_write(folder / "cgroup.kill", "1")
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _try_to_write(path: Path, text: str) -> None:
    """Write to a file that not every kernel has."""
    if path.exists():
        try:
            path.write_text(text)
        except OSError:
            return


@contextmanager
def cgroup_home(confinement: Confinement) -> Iterator[Confinement]:
    """Give a caller a folder of its own for the groups of its servers, and leave none behind.

    Yields:
        The confinement with which to start the servers and call the rest; on leaving, all in the folder is killed and
        removed. What a caller left that was itself killed is removed by the next one.
    """
    locks: list[int] = []
    homes: list[Path] = []
    try:
        for parent in map(Path, confinement.cgroup_parents):
            _remove_left_over(parent)
            home = parent / f"{HOME}{secrets.token_hex(6)}"
            home.mkdir()
            homes.append(home)
            locks.append(_lock(home))
            if confinement.cgroup_version == 2:
                (home / "cgroup.subtree_control").write_text("+memory +pids")
        yield replace(confinement, cgroup_parents=tuple(map(str, homes)))
    finally:
        for home in homes:
            _remove_home(home)
        for lock in locks:
            os.close(lock)


def _lock(home: Path) -> int:
    """Say that the folder is in use: the lock goes when this process does, however it ends.

    Raises:
        OSError: it is in use, or gone.
    """
    import fcntl

    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(folder)
        raise
    return folder


def _remove_left_over(parent: Path) -> None:
    for home in parent.glob(f"{HOME}*"):
        try:
            lock = _lock(home)
        except OSError:  # its caller lives
            continue
        try:
            _remove_home(home)
        finally:
            os.close(lock)


def _remove_home(home: Path) -> None:
    for folder in (*home.glob(f"{GROUP}*"), home):
        group = Cgroup(Confinement(), Limits())
        group.folders = [folder]
        group.remove()


def find_parents() -> Iterator[tuple[int, tuple[str, ...]]]:
    """Versions and folders in which a group could be made, from this process's own group upwards."""
    try:
        lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return
    own = {controller: path for _, controllers, path in lines for controller in controllers.split(",")}
    own = {controller: path for controller, path in own.items() if ".." not in path}  # those lie outside our view
    if "" in own:
        group = ROOT / own[""].lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(ROOT) and _enables(folder, {"memory", "pids"}):
                yield 2, (str(folder),)
    if {"memory", "pids"} <= own.keys():
        folders = [Path(ROOT, name, own[name].lstrip("/")) for name in ("memory", "pids")]
        if all(folder.is_dir() for folder in folders):
            yield 1, tuple(map(str, folders))


def _enables(folder: Path, controllers: set[str]) -> bool:
    try:
        return controllers <= set((folder / "cgroup.subtree_control").read_text().split())
    except OSError:
        return False
