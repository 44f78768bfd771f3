"""What a submission may know and see: its environment variables, and the paths that it may read."""

import importlib.util
import os
import stat
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

KEPT = ("EE559_CACHE", "LD_LIBRARY_PATH", "MPLBACKEND", "TZ")
"""Variables that pass from the worker to its server and on to a submission, where they are set."""

SYSTEM = (
    "/bin /lib /lib64 /usr/bin /usr/lib /usr/lib64 /usr/share /usr/local/lib /usr/local/share/fonts /nix/store "
    "/gnu/store /etc/ld.so.cache /etc/localtime /etc/fonts /etc/alternatives /etc/mime.types /etc/ssl/openssl.cnf "
    "/etc/crypto-policies /dev/null /dev/zero /dev/full /dev/random /dev/urandom"
)
KERNEL = (
    "/proc/self /proc/cpuinfo /proc/meminfo /proc/stat /proc/loadavg /proc/uptime /proc/version /proc/filesystems "
    "/proc/sys/vm/overcommit_memory /proc/sys/kernel/osrelease /sys/devices/system/cpu /sys/devices/system/node "
    "/sys/kernel/mm/transparent_hugepage"
)


def server_environment(folder: Path) -> dict[str, str]:
    """All variables for a fork server with its scratch folders in ``folder``; a submission gets the same, in its own.

    Start the server with these and no others: the kernel would show the first ones in /proc/self/environ. To add one,
    choose a name from :data:`KEPT`; :func:`confine` drops all others.
    """
    values = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", "/bin")),
        "HOME": str(folder),
        "TMPDIR": str(folder / ".tmp"),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "MPLCONFIGDIR": str(folder / ".matplotlib"),
        "IPYTHONDIR": str(folder / ".ipython"),
        "USER": "student",
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
        "CUDA_VISIBLE_DEVICES": "",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return values | dict.fromkeys(threads, "1") | kept


def default_readable() -> list[Path]:
    """Paths that a Python process with torch and ee559 must read: nothing of the course but the package ee559.

    Of a Python installation only its programs and libraries are among them, never the folder that it lies in, so it
    may lie in the repository or in a home folder. /proc/self stands for the submission's own folder there.
    """
    paths = [*map(Path, SYSTEM.split()), *_python(), *_package(), *map(Path, KERNEL.split())]
    return [path for path in dict.fromkeys(paths) if path.exists()]


def find_shut_folder(path: Path) -> Path | None:
    """Return the topmost folder, from the root down to a folder, that others may not enter; None if there is none.

    Others are users who neither own it nor belong to its group.
    """
    path = path.resolve()
    folders = (*reversed(path.parents), path)
    return next((folder for folder in folders if not folder.stat().st_mode & stat.S_IXOTH), None)


def _python() -> Iterator[Path]:
    for prefix in dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)):
        yield from (Path(prefix, name) for name in ("bin", "lib", "lib64", "pyvenv.cfg", "etc/fonts"))
    yield Path(sys.executable).resolve()
    yield from (Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    yield from (path for path in map(Path, sys.path) if path.name in ("site-packages", "dist-packages"))
    for variable in ("LD_LIBRARY_PATH", "EE559_CACHE"):
        yield from (Path(path) for path in os.environ.get(variable, "").split(os.pathsep) if os.path.isabs(path))


def _package() -> Iterator[Path]:
    found = importlib.util.find_spec("ee559")
    if found is not None:
        yield from map(Path, found.submodule_search_locations or ())
