"""The calls of the Linux kernel that Python does not offer, through ctypes."""

import ctypes
import functools
import os
import platform
import sys
from typing import Any

LINUX = sys.platform == "linux"
MACHINE = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}.get(platform.machine(), "")
"""The processor in the kernel's word, or an empty string where we know no system call numbers."""

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 36, 38, 47
PR_CAP_AMBIENT_RAISE = 2
CAPSET = {"x86_64": 126, "aarch64": 91}
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


@functools.cache
def libc() -> Any:
    """The C library of this process."""
    return ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: int) -> int:
    """Call the kernel by number, with integers and addresses.

    Raises:
        OSError: the kernel refused.
    """
    result = int(libc().syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments)))
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def prctl(option: int, first: int = 0, second: int = 0) -> None:
    """Change a property of this process.

    Raises:
        OSError: the kernel refused.
    """
    arguments = (ctypes.c_ulong(first), ctypes.c_ulong(second), ctypes.c_ulong(0), ctypes.c_ulong(0))
    if libc().prctl(ctypes.c_int(option), *arguments) == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def set_capabilities(mask: int) -> None:
    """Hold the capabilities of this mask and no others, now and after an exec."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    sets = (ctypes.c_uint32 * 6)(low, low, low, high, high, high)  # effective, permitted, inheritable, twice
    syscall(CAPSET[MACHINE], ctypes.addressof(header), ctypes.addressof(sets))
    for capability in range(mask.bit_length()):
        if mask >> capability & 1:
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
