"""What the gradebook knows of a practical, read in a few queries however many students there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbgrader.api import (
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)

from ee559_course.grading.course_folder import CourseFolder


@dataclass(frozen=True)
class CellMark:
    """The points of one graded cell.

    Attributes:
        points: that count: those given by hand if there are any, else the automatic ones, and extra credit.
        max_points: that can be earned.
        by_hand: whether a person gave points.
        waiting: whether a person still has to look at it.
    """

    points: float
    max_points: float
    manual: bool
    waiting: bool


@dataclass(frozen=True)
class StudentMarks:
    """One student of the gradebook.

    Attributes:
        student: id.
        name: first and last name, or the id if there are none.
        sortable_name: last name, comma, first name, or the id.
        email: empty if unknown.
        lms_user_id: the student's id on the learning platform; empty if unknown.
        submitted: whether the gradebook has a submission.
        penalty: points that are taken off for being late.
        cells: the mark of each graded cell.
        comments: the grader's comment on each cell that has one.
    """

    student: str
    name: str
    sortable_name: str
    email: str = ""
    lms_user_id: str = ""
    submitted: bool = False
    penalty: float = 0.0
    cells: Mapping[str, CellMark] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """The points that count, as nbgrader exports them: the sum less the penalty, and not below 0."""
        return max(0.0, sum(mark.points for mark in self.cells.values()) - self.penalty)

    @property
    def waiting(self) -> list[str]:
        """Cells that are still to be graded by hand."""
        return [cell for cell, mark in self.cells.items() if mark.waiting]


@dataclass(frozen=True)
class ClassMarks:
    """A practical's marks: the points that can be earned, and each student of the gradebook under the id."""

    max_points: float
    students: Mapping[str, StudentMarks]


def read_marks(course: CourseFolder, practical: str) -> ClassMarks:
    """Read the marks of all students.

    Raises:
        ValueError: the gradebook does not know the practical.
    """
    with course.gradebook() as gradebook:
        try:
            assignment = gradebook.find_assignment(practical)
        except MissingEntry:
            raise ValueError(
                f"nothing of {practical} is graded yet: collect what was handed in, and run `ee559 grade {practical}`."
            ) from None
        cells = {cell.id: cell for book in assignment.notebooks for cell in (*book.grade_cells, *book.task_cells)}
        maxima = {key: float(cell.max_score or 0) for key, cell in cells.items()}
        marks: dict[str, dict[str, CellMark]] = {}
        grades = (Grade.cell_id, Grade.score, Grade.manual_score, Grade.needs_manual_grade)
        for student, name, cell, score, manual, waiting in _rows(gradebook, practical, Grade, *grades):
            mark = CellMark(float(score or 0), maxima.get(cell, 0.0), manual is not None, bool(waiting))
            marks.setdefault(student, {})[name] = mark
        comments: dict[str, dict[str, str]] = {}
        for student, name, comment in _rows(gradebook, practical, Comment, Comment.comment):
            if comment:
                comments.setdefault(student, {})[name] = comment
        penalties = dict(
            gradebook.db.query(SubmittedAssignment.student_id, SubmittedAssignment.late_submission_penalty).filter(
                SubmittedAssignment.assignment_id == assignment.id
            )
        )
        students = {}
        for one in gradebook.db.query(Student).order_by(Student.last_name, Student.first_name, Student.id):
            names = [part for part in (one.first_name, one.last_name) if part]
            students[one.id] = StudentMarks(
                one.id,
                " ".join(names) or one.id,
                ", ".join(reversed(names)) or one.id,
                one.email or "",
                one.lms_user_id or "",
                one.id in penalties,
                float(penalties.get(one.id) or 0),
                marks.get(one.id, {}),
                comments.get(one.id, {}),
            )
        return ClassMarks(sum(maxima.values()), students)


def _rows(gradebook: Gradebook, practical: str, kind: Any, *columns: object) -> list[Any]:
    """Query grades or comments of a practical, each with the student's id and the cell's name before it."""
    assignment = gradebook.find_assignment(practical)
    query = (
        gradebook.db.query(SubmittedAssignment.student_id, BaseCell.name, *columns)
        .select_from(kind)
        .join(SubmittedNotebook, SubmittedNotebook.id == kind.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(BaseCell, BaseCell.id == kind.cell_id)
        .filter(SubmittedAssignment.assignment_id == assignment.id)
    )
    return list(query)
