"""What code may use up or leave behind, for these tests."""

import ctypes
import errno
import mmap
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacks import LIBC, Environment, kills_everything


def name_process(environment: Environment) -> None:
    """Call this process as the tests say, so that they can look for it from outside."""
    LIBC.prctl(15, environment["name"].encode(), 0, 0, 0)


def bombs(environment: Environment) -> Any:
    """Fork without end in three ways: keep all, run ahead of the killer, and hide in sessions of one's own."""
    name_process(environment)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    reported = False
    for generation in range(1_000_000):
        try:
            pid = os.fork()
        except OSError as error:
            if not reported:
                environment["report"]({"stopped": str(error)})
                reported = True
            time.sleep(0.001)
            continue
        if pid == 0 and generation % 3 == 0:
            os.setsid()
        if pid != 0 and generation % 4 == 3:
            os._exit(0)  # the child goes on in its place
    return False


def stays(environment: Environment) -> bool:
    """Leave a daemon behind, by the book: fork, setsid, fork."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            name_process(environment)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        os._exit(0)
    os.wait()
    time.sleep(0.1)
    return True


def sleeps(environment: Environment) -> bool:
    name_process(environment)
    environment["report"]({"sleeps": True})
    time.sleep(600)
    return True


def hogs(environment: Environment) -> bool:
    held = []
    for _ in range(64):
        held.append(bytearray(os.urandom(1)) * (64 << 20))
    return len(held) == 64


def hogs_shared(environment: Environment) -> bool:
    for _ in range(64):
        shared = mmap.mmap(-1, 64 << 20)
        shared.write(b"x" * (64 << 20))
        environment.setdefault("held", []).append(shared)
    return True


def hogs_together(environment: Environment) -> bool:
    for _ in range(8):
        if os.fork() == 0:
            held = bytearray(b"x") * (200 << 20)
            time.sleep(30)
            os._exit(len(held) == 0)
    return all(os.wait()[1] == 0 for _ in range(8))


def writes_much(environment: Environment) -> bool:
    with open("huge", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    return True


def writes_much_in_parts(environment: Environment) -> bool:
    for number in range(64):
        Path(f"part-{number}").write_bytes(bytes(1 << 20))
    return True


def writes_deleted(environment: Environment) -> bool:
    files = environment["held"] = []
    for number in range(16):
        file = open(f"part-{number}", "wb")  # noqa: SIM115
        file.write(bytes(1 << 20))
        file.flush()
        os.unlink(file.name)
        files.append(file)
    time.sleep(30)
    return True


def holds_deleted(environment: Environment) -> bool:
    """Hold files that have no name any more: those of even numbers are open, the others closed and mapped."""
    size, held = 4 << 20, environment.setdefault("held", [])
    for number in range(64):
        file = os.open("part", os.O_CREAT | os.O_RDWR | os.O_EXCL)
        os.unlink("part")
        for _ in range(4):
            if os.write(file, bytes(size // 4)) < size // 4:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if number % 2:
            held.append(mmap.mmap(file, size))
            os.close(file)
        environment["report"]({"held": (number + 1) * size})
    return True


def writes_many(environment: Environment) -> bool:
    for number in range(1000):
        Path(f"file-{number}").touch()
    time.sleep(30)
    return True


def spins(environment: Environment) -> bool:
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    while True:
        pass


def tells_all(environment: Environment) -> dict[str, Any]:
    """Everything that the environment and the open files give away."""
    import posix

    LIBC.getenv.restype = ctypes.c_char_p
    names = ("SECRET_AT_START", "SECRET_IN_PYTHON", "SECRET_IN_C", "HOME")
    return {
        "os": dict(os.environ),
        "posix": [name.decode() for name in posix.environ],
        "c": {name: (LIBC.getenv(name.encode()) or b"").decode() for name in names},
        "proc": Path("/proc/self/environ").read_bytes().decode(errors="replace") if environment["proc"] else "",
        "files": [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")],
        "folder": str(Path.cwd()),
        "uid": os.getuid(),
    }


EXHAUSTING: dict[str, Callable[[Environment], Any]] = {
    "fork bomb": bombs,
    "daemon": stays,
    "sleep": sleeps,
    "memory": hogs,
    "shared memory": hogs_shared,
    "memory together": hogs_together,
    "huge file": writes_much,
    "files together": writes_much_in_parts,
    "deleted files": writes_deleted,
    "deleted files, open or mapped": holds_deleted,
    "many files": writes_many,
    "processor": spins,
    "tell": tells_all,
    "kill everything": kills_everything,
}
