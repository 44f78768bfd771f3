"""The ways in which code may start a program, for these tests: each returns true if it runs.

An OSError means that it was refused; where the C library reports an exit status instead, the job makes one of it.
"""

import asyncio
import ctypes
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from attacks import LIBC, call

Environment = dict[str, Any]
SHELL, EXECUTED = "/bin/sh", ["sh", "-c", "exit 7"]
NO_SUCH_PROGRAM = 127


def in_child(start: Callable[[], object]) -> bool:
    """Fork, and start the program in place of the child."""
    pid = os.fork()
    if pid == 0:
        try:
            start()
        except OSError as error:
            os._exit(100 + (error.errno or 0))
        finally:
            os._exit(99)
    return ended_as_wanted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def ended_as_wanted(status: int) -> bool:
    if status == 100 + errno.EPERM:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    return status == 7


def by_system(environment: Environment) -> bool:
    status = os.waitstatus_to_exitcode(os.system("exit 7"))
    if status == NO_SUCH_PROGRAM:
        raise PermissionError(errno.EPERM, "the shell did not start")
    return status == 7


def c_strings(words: list[str]) -> Any:
    return (ctypes.c_char_p * (len(words) + 1))(*(word.encode() for word in words), None)


def by_c_execve() -> None:
    LIBC.execve(SHELL.encode(), c_strings(EXECUTED), c_strings([]))
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def by_c_posix_spawn(environment: Environment) -> bool:
    pid = ctypes.c_int()
    error = LIBC.posix_spawn(ctypes.byref(pid), SHELL.encode(), None, None, c_strings(EXECUTED), c_strings([]))
    if error:
        raise OSError(error, os.strerror(error))
    return os.waitstatus_to_exitcode(os.waitpid(pid.value, 0)[1]) == 7


def by_execveat() -> None:
    empty_path, words = 0x1000, c_strings(EXECUTED)
    name = ctypes.create_string_buffer(b"")
    call(322, os.open(SHELL, os.O_PATH), ctypes.addressof(name), ctypes.addressof(words), 0, empty_path)


async def by_asyncio() -> bool:
    return await (await asyncio.create_subprocess_exec(SHELL, *EXECUTED[1:])).wait() == 7


STARTING: dict[str, Callable[[Environment], Any]] = {
    "os.execv": lambda e: in_child(lambda: os.execv(SHELL, EXECUTED)),
    "os.execve of an open file": lambda e: in_child(lambda: os.execve(os.open(SHELL, os.O_PATH), EXECUTED, {})),
    "os.posix_spawn": lambda e: os.waitpid(os.posix_spawn(SHELL, EXECUTED, {}), 0)[1] == 7 << 8,
    "os.spawnv": lambda e: ended_as_wanted({127: 101}.get(s := os.spawnv(os.P_WAIT, SHELL, EXECUTED), s)),
    "os.popen": lambda e: os.popen("exit 7").close() == 7 << 8,
    "os.system": by_system,
    "subprocess": lambda e: subprocess.run([SHELL, *EXECUTED[1:]]).returncode == 7,
    "subprocess with a shell": lambda e: subprocess.run("exit 7", shell=True).returncode == 7,
    "another Python": lambda e: subprocess.run([sys.executable, "-S", "-c", "raise SystemExit(7)"]).returncode == 7,
    "asyncio": lambda e: asyncio.run(by_asyncio()),
    "C's execve": lambda e: in_child(by_c_execve),
    "C's posix_spawn": by_c_posix_spawn,
    "execveat by number": lambda e: in_child(by_execveat),
    "the loader": lambda e: subprocess.run(["/lib64/ld-linux-x86-64.so.2", SHELL, "-c", "exit 7"]).returncode == 7,
}
