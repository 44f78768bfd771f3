"""What keeps a grading from beginning, or one submission from being graded: a reason, and what to do about it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


class GradingError(RuntimeError):
    """The grading could not begin; the message says why and what to do."""


class Quarantine(Exception):
    """A submission cannot be graded as it is.

    Args:
        reason: why.
        remedy: what the instructor can do.
        digest: of the file, where there is one to read.
    """

    def __init__(self, reason: str, remedy: str, digest: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.digest = reason, remedy, digest


@contextmanager
def reporting_file_errors() -> Iterator[None]:
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
