"""Scratch folders: made for one process, kept from growing, and removed whatever it left there."""

import ctypes
import os
import secrets
import shutil
from pathlib import Path

from ee559_sandbox.kernel_calls import PR_SET_DUMPABLE, libc, prctl, set_capabilities
from ee559_sandbox.limits import Limits

CLONE_NEWNS, CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 0x4000, 0x4_0000
OWN_FILES = 16
"""Inodes beyond those of the limit: the file system's own, and what the caller puts there."""


def make_scratch(root: Path) -> Path:
    """Make an empty folder that only its owner may enter, with a name that cannot be guessed, in ``root``."""
    if not os.access(root, os.W_OK | os.X_OK):  # the process before shut it: it may be of the same user
        os.chmod(root, 0o711)
    path = root / secrets.token_hex(8)
    path.mkdir(mode=0o700)
    return path


def fix_size(scratch: Path, limits: Limits) -> None:
    """Cover a folder with an empty file system that takes so many bytes and files, for this process and its children.

    What is written there counts until it is freed, whether it has a name or is deleted and still open or mapped. The
    file system lies in memory, which counts for a control group where there is one, and goes with its last process.

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


def remove_scratch(scratch: Path) -> None:
    """Remove a scratch folder with all in it, after its processes are gone; links are not followed.

    ``shutil.rmtree`` would fail at folders nested some thousands deep, and at those that their owner has shut. So each
    folder is emptied into the topmost one before it is removed: neither depth nor length of a path matters.
    """
    if not shutil.rmtree.avoids_symlink_attacks:
        shutil.rmtree(scratch, ignore_errors=True)
        return
    try:
        top = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        moved = 0
        while folders := _remove_files(top):
            for name in folders:
                inner = _open_folder(name, top)
                try:
                    for nested in _remove_files(inner):
                        _make_passable(nested, inner)
                        os.rename(nested, f"moved {moved} {secrets.token_hex(4)}", src_dir_fd=inner, dst_dir_fd=top)
                        moved += 1
                finally:
                    os.close(inner)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(scratch)


def _remove_files(folder: int) -> list[str]:
    """Remove all that is not a folder; return the names of the folders."""
    folders = []
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                os.unlink(entry.name, dir_fd=folder)
    return folders


def _open_folder(name: str, parent: int) -> int:
    _make_passable(name, parent)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)


def _make_passable(name: str, parent: int) -> None:
    os.chmod(name, 0o700, dir_fd=parent)  # moving a folder writes its entry ..
