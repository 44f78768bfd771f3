"""Who may grade: root, or an ordinary user, whom tests that run as root have to play."""

import ctypes
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

ROLES = ("root", "user")
ORDINARY = 60_123


@contextmanager
def temporary_folder() -> Iterator[str]:
    """A temporary folder that all may enter, as pytest's own are not."""
    folder = tempfile.mkdtemp(prefix="ee559-confinement-")
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def own(role: str, path: Path) -> None:
    if role == "user" and os.getuid() == 0:
        os.chown(path, ORDINARY, ORDINARY)


def can_play(role: str) -> bool:
    """Whether a process of these tests can be root, or an ordinary user."""
    if role == "root":
        return os.getuid() == 0
    if os.getuid() != 0:
        return True
    tried = [sys.executable, "-c", "import ee559_course, psutil"]
    return subprocess.run(tried, preexec_fn=become("user"), capture_output=True, cwd="/").returncode == 0


def become(role: str) -> Callable[[], None] | None:
    """What a new process has to do to play a role."""
    if role == "root" or os.getuid() != 0:
        return None
    shut = find_shut_folder()
    libc = ctypes.CDLL(None, use_errno=True)

    def be_ordinary() -> None:
        if shut is not None:  # Python lies in root's home: show it, and nothing else of it, in our view of the files
            inside = Path(os.path.realpath(sys.base_prefix))
            held = os.open(inside, os.O_PATH)
            libc.unshare(0x00020000)
            libc.mount(b"none", b"/", None, 0x44000, None)  # MS_REC | MS_PRIVATE
            libc.mount(b"none", os.fsencode(shut), b"tmpfs", 0, b"mode=755")
            inside.mkdir(parents=True)
            libc.mount(f"/proc/self/fd/{held}".encode(), os.fsencode(inside), None, 0x5000, None)  # MS_REC | MS_BIND
            os.close(held)
        os.setgroups([])
        os.setresgid(ORDINARY, ORDINARY, ORDINARY)
        os.setresuid(ORDINARY, ORDINARY, ORDINARY)

    return be_ordinary


@cache
def find_shut_folder() -> Path | None:
    """The topmost folder on the way to Python that others may not pass."""
    parents = reversed(Path(os.path.realpath(sys.base_prefix)).parents)
    return next((folder for folder in parents if not folder.stat().st_mode & stat.S_IXOTH), None)
