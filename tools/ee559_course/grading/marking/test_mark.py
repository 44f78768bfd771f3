"""The mark of one hidden test."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TestMark:
    """The points of one hidden test.

    Attributes:
        cell: id of the test's cell.
        part: such as ``Part 2``.
        about: what the test looks at, in the words of the notebook.
        points: that were earned.
        max_points: that can be earned.
        message: the first thing that is wrong; empty when nothing is.
        mistake: the one that the test knows, if all answers are as with it.
        at: id of the student's cell and number of the line in it where an error arose: a claim of the student's
            process, for the student alone.
    """

    __test__ = False  # pytest would take the class for one of its own

    cell: str
    part: str
    about: str
    points: float
    max_points: float
    message: str = ""
    mistake: str = ""
    at: tuple[str, int] | None = None
