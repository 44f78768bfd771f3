"""Where in a notebook an error arose: for the student's eyes, told by the student's own process."""

import traceback
from types import CodeType
from typing import Any


class ErrorLocator:
    """Remembers which code came from which cell.

    Args:
        shell: an IPython shell that runs the cells.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._cells: dict[str, int] = {}

    def ran(self, cell: int) -> None:
        """Take note that a cell was run: what the shell has compiled since the last one is its code.

        Args:
            cell: its number among the cells that are run.
        """
        for name in tuple(getattr(self._shell.compile, "_filename_map", ())):
            self._cells.setdefault(name, cell)

    def of(self, error: BaseException) -> list[int] | None:
        """Return the number of the cell and the line in it that was reached last before an error; None if none was."""
        found = None
        if isinstance(error, SyntaxError) and error.filename in self._cells:
            return [self._cells[error.filename], error.lineno or 1]
        for frame, line in traceback.walk_tb(error.__traceback__):
            code: CodeType = frame.f_code
            if code.co_filename in self._cells:
                found = [self._cells[code.co_filename], line]
        return found
