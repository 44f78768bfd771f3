"""Scratch folders: made for one submission, and removed whatever it left there."""

import os
import secrets
import shutil
from pathlib import Path


def make_scratch(root: Path) -> Path:
    """Make an empty folder that only its owner may enter, with a name that cannot be guessed, in ``root``."""
    if not os.access(root, os.W_OK | os.X_OK):  # the submission before shut it: it may be of the same user
        os.chmod(root, 0o711)
    path = root / secrets.token_hex(8)
    path.mkdir(mode=0o700)
    return path


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
