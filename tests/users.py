"""Who may run the tests' programs: root, or an ordinary user, whom tests that run as root have to play."""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ee559_course.paths import ROOT
from ee559_sandbox import find_shut_folder

ORDINARY = 60_123
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000


@contextmanager
def temporary_folder() -> Iterator[str]:
    """A temporary folder that all may enter, as pytest's own are not."""
    folder = tempfile.mkdtemp(prefix="ee559-test-")
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def own(user: str, path: Path) -> None:
    if user == "ordinary" and os.getuid() == 0:
        os.chown(path, ORDINARY, ORDINARY)


def can_play_ordinary_user() -> bool:
    """Whether a process of these tests can be an ordinary user, who runs this Python and reads the course."""
    if os.getuid() != 0:
        return True
    tried = [sys.executable, "-c", "import ee559, ee559_course, psutil"]
    try:
        return subprocess.run(tried, preexec_fn=become("ordinary"), capture_output=True, cwd="/").returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def become(user: str) -> Callable[[], None] | None:
    """What a new process has to do to be root or an ordinary user."""
    if user == "root" or os.getuid() != 0:
        return None
    shut = find_shut_folders()
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, folder: Path, kind: bytes | None, flags: int, options: bytes | None = None) -> None:
        if libc.mount(source.encode(), os.fsencode(folder), kind, flags, options) != 0:
            raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {folder}")

    def show_what_is_shut() -> None:
        """Show Python and the course, and nothing else of root's home, in our own view of the files."""
        if libc.unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        mount("none", Path("/"), None, MS_REC | MS_PRIVATE)
        held = {path: os.open(path, os.O_PATH) for paths in shut.values() for path in paths}
        for folder in shut:
            mount("none", folder, b"tmpfs", 0, b"mode=755")
        for path, file in held.items():
            path.mkdir(parents=True, exist_ok=True)
            mount(f"/proc/self/fd/{file}", path, None, MS_REC | MS_BIND)
            os.close(file)

    def be_ordinary() -> None:
        if shut:
            show_what_is_shut()
        os.setgroups([])
        os.setresgid(ORDINARY, ORDINARY, ORDINARY)
        os.setresuid(ORDINARY, ORDINARY, ORDINARY)

    return be_ordinary


@cache
def find_shut_folders() -> dict[Path, list[Path]]:
    """The topmost folders that others may not pass, on the way to Python and to the course, and what lies in each."""
    shut: dict[Path, list[Path]] = {}
    needed = [Path(os.path.realpath(path)) for path in (sys.base_prefix, sys.prefix, ROOT)]
    for path in dict.fromkeys(needed):
        if (topmost := find_shut_folder(path)) is not None:
            shut.setdefault(topmost, []).append(path)
    return shut
