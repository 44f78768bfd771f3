"""Grades as the files that Canvas and Moodle import.

What both have in common: points as the gradebook counts them, given by hand or not, less what is taken off for being
late; a decimal point, which both read whatever their language. A student without a mark is never exported as 0, and the
caller is told who that is: nothing handed in, in quarantine, not all graded by hand. For these the platform keeps what
it has, because both take an empty cell for "remove the grade".

A name that a spreadsheet would take for a formula gets an apostrophe before it. An id cannot have one, because the
platform would not find the student: whoever has such an id is left out, and the caller is told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ee559_course.files import write_bytes
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.marks import ClassMarks, StudentMarks, read_marks
from ee559_course.grading.gradebook.record import Record, read_records
from ee559_course.grading.lms.canvas import IDS, Filled, as_csv, fill, is_formula, no_formula
from ee559_course.grading.pages.render import number
from ee559_course.grading.pages.student_cells import plain
from ee559_course.grading.plan.released import read_released
from ee559_course.practicals.practical import Practical

CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE_COLUMNS = {"username": "Username", "idnumber": "ID number", "email": "Email address"}
MAX_FEEDBACK = 5_000


@dataclass(frozen=True)
class Export:
    """A file to import.

    Attributes:
        content: its bytes.
        exported: ids of the students whose grade is in it.
        without_grade: for each student who has none in it, why.
        to_look_at: ids of exported students whose submission a person must look at.
        warnings: what else the instructor should know.
    """

    content: bytes
    exported: tuple[str, ...]
    without_grade: Mapping[str, str]
    to_look_at: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def write(self, path: Path) -> Path:
        """Write the file whole or not at all; return its path."""
        return write_bytes(path, self.content)


def export_grades(
    course: CourseFolder,
    practical: str,
    kind: str,
    *,
    platform_file: Path | None = None,
    match: str = "",
    column: str = "",
    identifier: str = "",
) -> Export:
    """Make the file that a learning platform imports.

    Canvas wants the columns ``Student, ID, SIS User ID, SIS Login ID, Section``, then a column for each assignment
    called ``TITLE (NUMBER)``, and a row ``Points Possible``. It finds a student by ID, else by SIS User ID, else by SIS
    Login ID, else by name. The safe way is to give the file of *Grades → Export* as ``platform_file``: the practical's
    column is filled, all else stays as it came, separators included. Without it a new file with these columns is made;
    ``column`` then says the assignment's full name, number included, or Canvas offers to make a new assignment.

    Moodle (*Grades → Import → CSV file*) wants UTF-8 with a column that finds the user, and is asked on the next page
    which column is what: map the first to ``username``, ``useridnumber`` or ``useremail``, the second to the grade item
    and the third to its feedback. One user whom it does not know, and it imports nothing. The grade item must have the
    practical's points as its maximum.

    Args:
        course: the course folder.
        practical: such as ``sizes``.
        kind: ``canvas`` or ``moodle``.
        platform_file: Canvas' exported gradebook.
        match: Canvas' column that holds the gradebook's ids; the one that fits most students if empty.
        column: Canvas' column of the practical; by default the one that has the practical's title or name.
        identifier: what of the gradebook finds a student. Moodle: ``username`` (the id; the default), ``idnumber`` (the
            id on the platform, else the id) or ``email``. Canvas without a file: the column that the id goes into, by
            default ``SIS Login ID``.

    Raises:
        ReleaseError: there is no such practical.
        ValueError: the gradebook does not know it, the kind or an option is unknown, or Canvas' file has no fitting
            column, or more than one.
    """
    source = read_released(course, practical).practical
    marks = read_marks(course, practical)
    records = {record.student: record for record in read_records(course.grading(practical))}
    reasons = {student: _without_grade(marks, student, records) for student in marks.students.keys() | records.keys()}
    graded = {student: mark for student, mark in marks.students.items() if not reasons[student]}
    if kind == "moodle":
        made = _moodle(source, graded, identifier or "username")
    elif kind == "canvas" and platform_file:
        made = fill(platform_file, marks, graded, (source.title, practical), column, match)
    elif kind == "canvas":
        made = _new_canvas(marks, graded, column or source.title, identifier or "SIS Login ID")
    else:
        raise ValueError(f"expected canvas or moodle, got {kind!r}")
    missing = {student: why for student, why in sorted(reasons.items()) if why}
    pending = tuple(student for student in made.exported if student in records and records[student].pending)
    return Export(made.content, tuple(made.exported), missing | made.left_out, pending, tuple(made.warnings))


def _without_grade(marks: ClassMarks, student: str, records: Mapping[str, Record]) -> str:
    record = records.get(student)
    mark = marks.students.get(student)
    if record is not None and not record.graded:
        return "in quarantine"
    if mark is None or not mark.submitted:
        return "handed nothing in"
    if not mark.cells:
        return "not graded yet"
    return f"still to be graded by hand: {', '.join(mark.waiting)}" if mark.waiting else ""


def _moodle(practical: Practical, graded: Mapping[str, StudentMarks], identifier: str) -> Filled:
    finds: dict[str, Callable[[StudentMarks], str]] = {
        "username": lambda mark: mark.student,
        "idnumber": lambda mark: mark.lms_user_id or mark.student,
        "email": lambda mark: mark.email,
    }
    if identifier not in finds:
        raise ValueError(f"expected one of {', '.join(finds)} for Moodle, got {identifier!r}")
    rows = [[MOODLE_COLUMNS[identifier], practical.title, f"{practical.title} (Feedback)"]]
    made = Filled(b"")
    for student, mark in graded.items():
        key = finds[identifier](mark)
        if not key:
            made.left_out[student] = f"no {identifier} in the gradebook"
        elif is_formula(key):
            made.left_out[student] = "a spreadsheet would take the id for a formula"
        else:
            rows.append([key, number(mark.total), _feedback(practical, mark)])
            made.exported.append(student)
    made.content = as_csv(rows).encode()
    return made


def _feedback(practical: Practical, mark: StudentMarks) -> str:
    """Say the points of each part and the grader's comments; Moodle takes the words for HTML."""
    said = []
    for part in practical.parts:
        marks = [mark.cells[cell] for cell in part.graded if cell in mark.cells]
        if marks:
            earned, possible = sum(each.points for each in marks), sum(each.max_points for each in marks)
            said.append(f"{part.name}: {number(earned)} of {number(possible)}.")
        said += [" ".join(plain(mark.comments[cell]).split()) for cell in part.cells if cell in mark.comments]
    if mark.penalty:
        said.append(f"Late: {number(mark.penalty)} off.")
    return no_formula(escape(" ".join(said)[:MAX_FEEDBACK], quote=False))


def _new_canvas(marks: ClassMarks, graded: Mapping[str, StudentMarks], column: str, identifier: str) -> Filled:
    if identifier not in IDS[:3]:
        raise ValueError(f"expected one of {', '.join(IDS[:3])} for Canvas, got {identifier!r}")
    rows = [[*CANVAS_COLUMNS, column], ["    Points Possible", "", "", "", "", number(marks.max_points)]]
    made = Filled(b"")
    for student, mark in graded.items():
        ids = {"ID": mark.lms_user_id} | {identifier: student}
        if any(map(is_formula, ids.values())):
            made.left_out[student] = "a spreadsheet would take the id for a formula"
            continue
        row = {**ids, "Student": no_formula(" ".join(mark.sortable_name.split()))}
        rows.append([*(row.get(name, "") for name in CANVAS_COLUMNS), number(mark.total)])
        made.exported.append(student)
    made.content = as_csv(rows).encode("utf-8-sig")  # Excel needs the mark, and Canvas allows it
    return made
