"""Write results where nbgrader has them: the graded notebook that the formgrader shows, and the gradebook.

The gradebook's tables are written as nbgrader's own autograder writes them, without nbgrader, whose import takes longer
than the grading of a notebook. Where it decides something, such as what is taken off for being late, it is asked.
"""

import sqlite3
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ee559_course.files import replacing, write_text
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.plan.grading_plan import GradingPlan

BACKUPS_KEPT = 10
SECONDS_TO_WAIT = 30.0  # for somebody else, such as the formgrader, who is writing
NOBODY_WROTE = "No response."


def back_up(course: CourseFolder) -> Path | None:
    """Copy the gradebook beside itself, as one moment had it; the ten newest copies are kept. None if there is none."""
    if not course.gradebook_file.exists():
        return None
    folder = course.root / "grading" / "backups"
    copy = folder / f"gradebook-{time.strftime('%Y%m%d-%H%M%S')}.db"
    with (
        replacing(copy) as unfinished,
        closing(sqlite3.connect(course.gradebook_file)) as source,
        closing(sqlite3.connect(unfinished)) as target,
    ):
        source.backup(target)
    for old in sorted(folder.glob("gradebook-*.db"))[:-BACKUPS_KEPT]:
        old.unlink()
    return copy


def write_graded_notebook(course: CourseFolder, student: str, plan: GradingPlan, text: str) -> Path:
    """Write the notebook whole or not at all, with the files that the practical has beside it."""
    folder = course.autograded(student, plan.practical)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in plan.files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return write_text(folder / f"{plan.practical}.ipynb", text)


@contextmanager
def open_gradebook(course: CourseFolder) -> Iterator[sqlite3.Connection]:
    """Open the gradebook for `write_marks`."""
    with closing(sqlite3.connect(course.gradebook_file, timeout=SECONDS_TO_WAIT)) as gradebook:
        yield gradebook


def write_marks(
    gradebook: sqlite3.Connection,
    course: CourseFolder,
    student: str,
    practical: str,
    grades: Mapping[str, float | None],
    untouched: Collection[str],
    to_look_at: bool = False,
) -> None:
    """Write a submission's points and comments into the gradebook, all of them or none.

    A grade that a person has given stays, and is marked to be looked at again.

    Args:
        gradebook: open.
        course: whose gradebook it is.
        student: id.
        practical: its name.
        grades: the automatic points of each graded cell; None where a person gives them.
        untouched: ids of answers that are as they were released.
        to_look_at: whether a person must look at all of it.

    Raises:
        KeyError: the gradebook knows a graded cell that has no grade here.
    """
    with gradebook:
        gradebook.execute("BEGIN IMMEDIATE")
        gradebook.execute("INSERT OR IGNORE INTO student (id) VALUES (?)", (student,))
        notebook = _submitted_notebook(gradebook, student, practical, _timestamp(course, student, practical))
        cells = gradebook.execute(
            "SELECT grade.id, base_cell.name, grade.manual_score FROM grade JOIN base_cell ON base_cell.id = cell_id "
            "WHERE grade.notebook_id = ?",
            (notebook,),
        ).fetchall()
        points = [(grades[name], grades[name] is None or manual is not None, key) for key, name, manual in cells]
        gradebook.executemany(
            "UPDATE grade SET auto_score = ?, needs_manual_grade = ? WHERE id = ?",
            [(score, int(waits or to_look_at), key) for score, waits, key in points],
        )
        comments = gradebook.execute(
            "SELECT comment.id, base_cell.name FROM comment JOIN base_cell ON base_cell.id = cell_id "
            "WHERE comment.notebook_id = ?",
            (notebook,),
        ).fetchall()
        gradebook.executemany(
            "UPDATE comment SET auto_comment = ? WHERE id = ?",
            [(NOBODY_WROTE if name in untouched else None, key) for key, name in comments],
        )
    if _may_be_late(gradebook, notebook):
        _assign_late_penalty(course, student, practical)


def _submitted_notebook(gradebook: sqlite3.Connection, student: str, practical: str, stamp: str | None) -> str:
    """Return the id of a student's submitted notebook; make it, with its grades and comments, where it is missing."""
    (assignment,) = gradebook.execute("SELECT id FROM assignment WHERE name = ?", (practical,)).fetchone()
    (notebook,) = gradebook.execute("SELECT id FROM notebook WHERE assignment_id = ?", (assignment,)).fetchone()
    found = gradebook.execute(
        "SELECT id FROM submitted_assignment WHERE assignment_id = ? AND student_id = ?", (assignment, student)
    ).fetchone()
    submission = found[0] if found else _new_id()
    if not found:
        gradebook.execute(
            "INSERT INTO submitted_assignment (id, assignment_id, student_id) VALUES (?, ?, ?)",
            (submission, assignment, student),
        )
    if stamp is not None:
        gradebook.execute("UPDATE submitted_assignment SET timestamp = ? WHERE id = ?", (stamp, submission))
    found = gradebook.execute(
        "SELECT id FROM submitted_notebook WHERE assignment_id = ? AND notebook_id = ?", (submission, notebook)
    ).fetchone()
    submitted: str = found[0] if found else _new_id()
    if not found:
        gradebook.execute(
            "INSERT INTO submitted_notebook (id, assignment_id, notebook_id, flagged) VALUES (?, ?, ?, 0)",
            (submitted, submission, notebook),
        )
    for row, kinds in (("grade", ("GradeCell", "TaskCell")), ("comment", ("SolutionCell", "TaskCell"))):
        extra, value = (", needs_manual_grade", ", 1") if row == "grade" else ("", "")
        missing = gradebook.execute(
            f"SELECT id FROM base_cell WHERE notebook_id = ? AND type IN (?, ?) AND id NOT IN "
            f"(SELECT cell_id FROM {row} WHERE notebook_id = ?)",
            (notebook, *kinds, submitted),
        ).fetchall()
        gradebook.executemany(
            f"INSERT INTO {row} (id, notebook_id, cell_id{extra}) VALUES (?, ?, ?{value})",
            [(_new_id(), submitted, cell) for (cell,) in missing],
        )
    return submitted


def _new_id() -> str:
    return uuid.uuid4().hex


def _timestamp(course: CourseFolder, student: str, practical: str) -> str | None:
    """Read when the notebook was handed in, in UTC as the gradebook writes it; None if no file says it."""
    path = course.submitted(student, practical) / "timestamp.txt"
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open(encoding="utf-8") as file:
            said = file.read(100).strip()
    except (OSError, ValueError):
        return None
    return _in_utc(said)


def _in_utc(said: str) -> str | None:
    """Write a moment as the gradebook has it; zones may have names: ``2026-11-27 19:00:00 Europe/Zurich``."""
    from dateutil import parser, tz

    day, _, zone = said.rpartition(" ")
    try:
        named = tz.gettz(zone) if " " in day else None
        moment = parser.parse(day).replace(tzinfo=named) if named is not None else parser.parse(said)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError, TypeError):
        return None
    return str(moment.strftime("%Y-%m-%d %H:%M:%S.%f"))


def _may_be_late(gradebook: sqlite3.Connection, notebook: str) -> bool:
    """Whether a submission was late, or something was taken off for that before."""
    stamp, due, extension, penalty = gradebook.execute(
        "SELECT submitted_assignment.timestamp, assignment.duedate, submitted_assignment.extension, "
        "late_submission_penalty FROM submitted_notebook "
        "JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id "
        "JOIN assignment ON assignment.id = submitted_assignment.assignment_id WHERE submitted_notebook.id = ?",
        (notebook,),
    ).fetchone()
    return bool(penalty) or bool(stamp and due and (extension or _moment(stamp) > _moment(due)))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _assign_late_penalty(course: CourseFolder, student: str, practical: str) -> None:
    """Let nbgrader say what is taken off, by its settings."""
    from nbformat.v4 import new_notebook
    from nbgrader.preprocessors import AssignLatePenalties

    names = {"notebook": practical, "assignment": practical, "student": student, "db_url": course.db_url}
    AssignLatePenalties(config=course.config).preprocess(new_notebook(), {"nbgrader": names})
