"""Landlock: a process gives up files, TCP, and signals to others, without any privilege.

By ctypes, because the `landlock` package on PyPI is a development release and these are three system calls.
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ee559_sandbox.kernel_calls import LINUX, MACHINE, syscall

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
OLDEST = 6
"""The version from which on Landlock keeps files, TCP and signals inside; an older one is taken for none."""

(
    EXECUTE,
    WRITE_FILE,
    READ_FILE,
    READ_DIR,
    REMOVE_DIR,
    REMOVE_FILE,
    MAKE_CHAR,
    MAKE_DIR,
    MAKE_REG,
    MAKE_SOCK,
    MAKE_FIFO,
    MAKE_BLOCK,
    MAKE_SYM,
    REFER,
    TRUNCATE,
    IOCTL_DEV,
) = (1 << bit for bit in range(16))
BIND_TCP, CONNECT_TCP = 1, 2
SCOPE_ABSTRACT_UNIX_SOCKET, SCOPE_SIGNAL = 1, 2

FILES = (1 << 16) - 1
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
READING = EXECUTE | READ_FILE | READ_DIR
DEVICE = READ_FILE | WRITE_FILE | IOCTL_DEV
WRITING = (
    READING | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_FIFO | MAKE_SYM | REFER | TRUNCATE
)


class _Attributes(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def find_version() -> int:
    """Version of the kernel's Landlock, 0 where there is none or too old a one."""
    if not (LINUX and MACHINE):
        return 0
    try:
        version = syscall(CREATE_RULESET, 0, 0, VERSION_FLAG)
    except OSError:
        return 0
    return version if version >= OLDEST else 0


def make_ruleset(readable: Iterable[Path], writable: Iterable[Path]) -> int:
    """Make a set of rules: all is refused but reading (and running) these, and writing those.

    A device among the readable ones may be written to as well, /dev/null for instance. A path that does not exist
    gets no rule.

    Returns:
        A file descriptor for :func:`restrict`.
    """
    attributes = _Attributes(FILES, BIND_TCP | CONNECT_TCP, SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL)
    ruleset = syscall(CREATE_RULESET, ctypes.addressof(attributes), ctypes.sizeof(attributes), 0)
    for rights, paths in ((READING, readable), (WRITING, writable)):
        for path in paths:
            _allow(ruleset, path, rights)
    return ruleset


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined,unused-ignore]  # Linux only
    except OSError:
        return
    try:
        mode = os.fstat(folder).st_mode
        if stat.S_ISCHR(mode):
            rights = DEVICE
        elif not stat.S_ISDIR(mode):
            rights &= OF_A_FILE
        rule = _PathBeneath(rights, folder)
        syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.addressof(rule), 0)
    finally:
        os.close(folder)


def restrict(ruleset: int) -> None:
    """Bind this thread, and what it starts from now on, to the rules; needs PR_SET_NO_NEW_PRIVS."""
    syscall(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
