"""What a sandboxed process may know and see: its environment variables, and the paths that it may read."""

import importlib.util
import os
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

KEPT = ("LD_LIBRARY_PATH", "TZ")
"""Variables that always pass from the caller to its server and on to the sandboxed processes, where they are set."""

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


def server_environment(folder: Path, keep: Iterable[str] = ()) -> dict[str, str]:
    """All variables for a fork server with its scratch folders in ``folder``; its children get the same, in their own.

    Start the server with these and no others: the kernel would show the first ones in /proc/self/environ.

    Args:
        folder: the home, in which all caches lie too.
        keep: names of variables to pass on, where they are set, beside those in :data:`KEPT`. Name them to
            :func:`confine` as well, which drops all others.
    """
    values = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", "/bin")),
        "HOME": str(folder),
        "TMPDIR": str(folder / ".tmp"),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "MPLCONFIGDIR": str(folder / ".matplotlib"),
        "IPYTHONDIR": str(folder / ".ipython"),
        "USER": "sandbox",
        "LOGNAME": "sandbox",
        "LANG": "C.UTF-8",
        "CUDA_VISIBLE_DEVICES": "",
        "MALLOC_ARENA_MAX": "2",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    kept = {name: os.environ[name] for name in (*KEPT, *keep) if name in os.environ}
    return values | dict.fromkeys(threads, "1") | kept


def default_readable(packages: Iterable[str] = ()) -> list[Path]:
    """Paths that a Python process must read.

    Of a Python installation only its programs and libraries are among them, never the folder that it lies in, so it
    may lie in a repository or in a home folder. /proc/self stands for the process's own folder there.

    Args:
        packages: import packages that lie elsewhere, such as those that are installed to be edited.
    """
    own = (path for package in packages for path in _find_package(package))
    paths = [*map(Path, SYSTEM.split()), *_find_python(), *own, *map(Path, KERNEL.split())]
    return [path for path in dict.fromkeys(paths) if path.exists()]


def find_shut_folder(path: Path) -> Path | None:
    """Return the topmost folder, from the root down to a folder, that others may not enter; None if there is none.

    Others are users who neither own it nor belong to its group.
    """
    path = path.resolve()
    folders = (*reversed(path.parents), path)
    return next((folder for folder in folders if not folder.stat().st_mode & stat.S_IXOTH), None)


def _find_python() -> Iterator[Path]:
    for prefix in dict.fromkeys((sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix)):
        yield from (Path(prefix, name) for name in ("bin", "lib", "lib64", "pyvenv.cfg", "etc/fonts"))
    yield Path(sys.executable).resolve()
    yield from (Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    yield from (path for path in map(Path, sys.path) if path.name in ("site-packages", "dist-packages"))
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    yield from (Path(path) for path in libraries if os.path.isabs(path))


def _find_package(name: str) -> Iterator[Path]:
    found = importlib.util.find_spec(name)
    if found is not None:
        yield from map(Path, found.submodule_search_locations or ())
