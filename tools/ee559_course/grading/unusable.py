"""What keeps a command from its files, such as a full disk or a gradebook in use: one sentence, with what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ee559_course.grading.pool import GradingError


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """Raise a `GradingError` for a file or a gradebook that cannot be read or written; what is graded stays.

    Raises:
        GradingError: there was such a fault.
    """
    try:
        yield
    except OSError as error:
        raise GradingError(
            f"a file cannot be read or written: {error}. Make room on the disk, or let yourself read and write the "
            "course folder, and do it again: what is graded stays."
        ) from error
    except Exception as error:
        cause = getattr(error, "orig", error)  # where SQLAlchemy has what sqlite3 raised
        if not isinstance(cause, sqlite3.DatabaseError):
            raise
        raise GradingError(
            f"the gradebook cannot be read or written: {cause}. Close what else has it open, such as the formgrader, "
            "make room on the disk, or take the last copy from grading/backups, and do it again."
        ) from error
