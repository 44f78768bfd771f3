"""Modules of a student's own, which lie beside the notebook: they can be imported when it is graded."""

import os
import stat
from pathlib import Path

MAX_MODULE = 100_000  # bytes
MAX_MODULES = 10


def read_modules(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Read a student's modules, without following a link and without waiting.

    Args:
        folder: what was handed in for one practical.

    Returns:
        Texts by file name, and a sentence if some were left out.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".py" and path.stem.isidentifier())
    found = {path.name: text for path in paths[:MAX_MODULES] if (text := _read(path)) is not None}
    if len(found) == len(paths):
        return found, []
    return found, [
        f"{len(paths) - len(found)} of its {len(paths)} modules were left out: expected at most {MAX_MODULES} files "
        f"of at most {MAX_MODULE:,} bytes."
    ]


def _read(path: Path) -> str | None:
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with os.fdopen(file, "rb") as opened:
        if path.is_symlink() or not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        content = opened.read(MAX_MODULE + 1)
    return content.decode(errors="replace") if len(content) <= MAX_MODULE else None
