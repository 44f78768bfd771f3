"""A scratch folder that cannot grow: a file system in memory, of a fixed size, that one submission alone sees.

What is written there counts until it is freed, whether it has a name or is deleted and still open or mapped. The file
system goes with the last process of the submission, and its memory counts for a control group, where there is one.
"""

import ctypes
import os
from pathlib import Path

from ee559_sandbox.model import Limits
from ee559_sandbox.system import PR_SET_DUMPABLE, libc, prctl, set_capabilities

CLONE_NEWNS, CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 0x4000, 0x4_0000
OWN_FILES = 16
"""Inodes beyond those of the limit: the file system's own, and what the grader puts beside the notebook."""


def fix_size(scratch: Path, limits: Limits) -> None:
    """Cover a folder with an empty file system that takes so many bytes and files, for this process and its children.

    Root mounts it in a view of the files of its own; an ordinary user does so in a user namespace as well, in which
    this process then has no right that it did not have before. For a process with one thread.

    Raises:
        OSError: neither is allowed here.
    """
    if os.geteuid() == 0:
        _call("unshare", CLONE_NEWNS)
    else:
        _enter_user_namespace()
    _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    options = f"size={limits.file_bytes},nr_inodes={limits.files + OWN_FILES},mode=700"
    _call("mount", b"none", os.fsencode(scratch), b"tmpfs", MS_NOSUID | MS_NODEV, options.encode())
    if os.geteuid() != 0:
        set_capabilities(0)
        prctl(PR_SET_DUMPABLE, 1)


def _enter_user_namespace() -> None:
    """Enter a user namespace, and with it a view of the files, in which this user and group are who they are."""
    uid, gid = os.geteuid(), os.getegid()
    _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")


def _call(name: str, *arguments: int | bytes | None) -> None:
    if getattr(libc(), name)(*(ctypes.c_ulong(each) if isinstance(each, int) else each for each in arguments)) == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
