"""Names of files that belong to a student: short whatever the student's id is, and never the same for two ids."""

import hashlib
import os
import re
from pathlib import Path

MAX_READABLE = 30  # characters of the id, of at most four bytes each
NAMED_TODAY = re.compile(r".*\+[0-9a-f]{16}", re.DOTALL)  # no name of before has a plus: it was written as %2B


def file_name(student: str) -> str:
    """Return the name, without suffix: the id's letters and digits as far as they are few, and a digest of the id.

    Args:
        student: id, the name of a folder; it may have bytes that are not UTF-8, as `os.fsdecode` reads them.
    """
    readable = re.sub(r"[^\w-]+", "-", student)[:MAX_READABLE].strip("-")
    return f"{readable}+{hashlib.sha256(os.fsencode(student)).hexdigest()[:16]}"


def is_of_before(path: Path) -> bool:
    """Whether a student's file is called as it was until 2026-11, by the id with ``%`` and digits for its signs."""
    return NAMED_TODAY.fullmatch(path.stem) is None
