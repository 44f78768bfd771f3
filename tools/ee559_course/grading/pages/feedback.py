"""The page that goes back to a student: points, the first thing wrong, the lecture that explains it, their own cells.

nbgrader looks for the pages where these lie, so that ``nbgrader release_feedback`` works on them. What stands on a page
is the gradebook's points and comments, each test's message and the student's own notebook, as it was when nothing was
asked of it; of the practical's source only headings and what each test looks at.
"""

import contextlib
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from ee559_course.files import write_text
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.marks import CellMark, StudentMarks, read_marks
from ee559_course.grading.gradebook.record import Record, read_records
from ee559_course.grading.pages.render import render
from ee559_course.grading.pages.student_cells import ShownCell, plain, redact, show_cell
from ee559_course.grading.plan.released import Lecture, Released, find_lecture, read_cells, read_released
from ee559_course.practicals.practical import Part

MAX_MESSAGE, MAX_CELLS = 600, 400
MAX_COLOURED = 100_000  # characters of code on a page
CALL = re.compile(r"(\w+\(.*?\))(?:: | (?=raised ))(.*)", re.DOTALL)
MAX_FOR_RELEASE = 10_000  # bytes
FOR_RELEASE = ("timestamp.txt", "submission_secret.txt")  # nbgrader release_feedback reads them beside the page


@dataclass(frozen=True)
class Place:
    """A line of a student's cell in which an error arose: where the page has the cell, the line's number and text."""

    anchor: str
    here: int
    line: str


@dataclass(frozen=True)
class TestView:
    """A graded cell.

    Attributes:
        about: what it looks at.
        mark: its points.
        tried: the call that went wrong, as it is written.
        message: what is wrong with what came.
        mistake: the known one that it looks like.
        place: where an error arose.
        lectures: that explain it.
    """

    about: str
    mark: CellMark
    tried: str = ""
    message: str = ""
    mistake: str = ""
    place: Place | None = None
    lectures: Collection[Lecture] = ()

    @property
    def lost(self) -> bool:
        """Whether it lost points that nobody still has to give."""
        return not self.mark.waiting and self.mark.points < self.mark.max_points


@dataclass(frozen=True)
class PartView:
    """A part: its headings, its tests, what is graded by hand, the comments, and the student's cells in it."""

    name: str
    title: str
    tests: Collection[TestView]
    manual: Collection[TestView]
    comments: Collection[str]
    cells: Collection[ShownCell]

    @property
    def graded(self) -> list[TestView]:
        """All graded cells."""
        return [*self.tests, *self.manual]


def write_feedback(course: CourseFolder, practical: str, students: Collection[str] | None = None) -> list[Path]:
    """Write a page for each student whose submission is graded or in quarantine.

    Args:
        course: the course folder.
        practical: such as ``sizes``.
        students: ids; everybody with a submission if None.

    Returns:
        The pages, in the order of the ids.

    Raises:
        ReleaseError: there is no such practical.
        ValueError: the gradebook does not know it, or one of the students has no submission to it.
    """
    released = read_released(course, practical)
    marks = read_marks(course, practical).students
    records = {record.student: record for record in read_records(course.grading(practical))}
    there = {student for student, mark in marks.items() if mark.submitted} | records.keys()
    wanted = there if students is None else set(students)
    if unknown := sorted(wanted - there):
        raise ValueError(f"{practical}: nothing of {', '.join(unknown)} is graded or in quarantine.")
    written = []
    for student in sorted(wanted):
        mark = marks.get(student) or StudentMarks(student, student, student)
        record = records.get(student)
        if record and not record.graded:
            page = _quarantine_page(released, mark, record)
        else:
            page = _graded_page(released, mark, record, _autograded(course, student, practical))
        folder = course.feedback(student, practical)
        written.append(write_text(folder / f"{practical}.html", page))
        _copy_for_release(course, student, practical)
    return written


def _quarantine_page(released: Released, mark: StudentMarks, record: Record) -> str:
    empty = NotebookNode(cells=[], metadata={})
    (reason,) = redact(empty, released.secrets, [record.reason])
    return render(
        "quarantine.html.j2", title=released.practical.title, name=plain(mark.name), reason=reason[:MAX_MESSAGE]
    )


def _graded_page(
    released: Released,
    mark: StudentMarks,
    record: Record | None,
    notebook: NotebookNode | None,
) -> str:
    shown = notebook or NotebookNode(cells=[], metadata={})
    messages = _messages(record, shown)
    ended = plain(record.ended) if record else ""
    redacted = redact(shown, released.secrets, [ended, *messages.values()])
    messages = dict(zip(messages, (text[:MAX_MESSAGE] for text in redacted[1:]), strict=True))
    places = _places(record, shown)
    cells = _cells_by_part(released, shown, {place.anchor: place.here for place in reversed(places.values())})
    mistakes = {test.cell: test.mistake for test in record.tests} if record else {}
    parts = [
        _part_view(part, mark, messages, mistakes, places, cells.get(part.name, []))
        for part in released.practical.parts
    ]
    return render(
        "feedback.html.j2",
        title=released.practical.title,
        name=plain(mark.name),
        marks=mark,
        max_points=sum(each.max_points for each in mark.cells.values()),
        waiting=sum(mark.cells[cell].max_points for cell in mark.waiting),
        parts=[part for part in parts if part.graded or part.cells],
        other_cells=cells.get("", []),
        ended=redacted[0],
        readable=notebook is not None,
    )


def _messages(record: Record | None, notebook: NotebookNode) -> dict[str, str]:
    """Return the message of each test that lost points, from the record or else from what the test printed."""
    if record and record.tests:
        return {test.cell: test.message for test in record.tests if test.message}
    messages = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                said = str(output.evalue).strip().partition("\n")[0]
                messages[cell.id] = said if output.ename == "AssertionError" else f"{output.ename}: {said}"
                break
    return messages


def _places(record: Record | None, notebook: NotebookNode) -> dict[str, Place]:
    """Return for each test that met an error the line of the student's cell where it arose, if that can be shown."""
    places = {}
    numbers = {cell.id: number for number, cell in enumerate(notebook.cells[:MAX_CELLS])}
    for test in record.tests if record else ():
        if test.message and test.at and test.at[0] in numbers:
            cell, here = test.at
            lines = plain(notebook.cells[numbers[cell]].source).split("\n")
            if 1 <= here <= len(lines):
                places[test.cell] = Place(_anchor(numbers[cell]), here, lines[here - 1].strip()[:MAX_MESSAGE])
    return places


def _anchor(number: int) -> str:
    return f"cell-{number + 1}"


def _part_view(
    part: Part,
    mark: StudentMarks,
    messages: Mapping[str, str],
    mistakes: Mapping[str, str],
    places: Mapping[str, Place],
    cells: Collection[ShownCell],
) -> PartView:
    tests = []
    for test in part.tests:
        cell, about = test.id(), test.title()
        if cell in mark.cells and mark.cells[cell].points < mark.cells[cell].max_points:
            message = messages.get(cell, "")
            found = CALL.fullmatch(message)
            tried, what = found.groups() if found else ("", message)
            see = test.see or part.see
            lectures = [find_lecture(*see)] if see else []
            tests.append(
                TestView(about, mark.cells[cell], tried, what, mistakes.get(cell, ""), places.get(cell), lectures)
            )
        elif cell in mark.cells:
            tests.append(TestView(about, mark.cells[cell]))
    manual = [TestView("your answer in words", mark.cells[cell]) for cell in part.words if cell in mark.cells]
    comments = [plain(mark.comments[cell]) for cell in part.cells if cell in mark.comments]
    return PartView(part.name, part.title, tests, manual, comments, cells)


def _cells_by_part(released: Released, notebook: NotebookNode, here: Mapping[str, int]) -> dict[str, list[ShownCell]]:
    """Show the student's cells under the part that they stand in: all code, and words that are the student's own."""
    given = set(released.cells.values())
    tests = {test.id() for test in released.practical.tests}
    manual = {cell for part in released.practical.parts for cell in part.words}
    shown: dict[str, list[ShownCell]] = {}
    name, highlighted = "", 0
    for number, cell in enumerate(notebook.cells[:MAX_CELLS]):
        if part := released.practical.part_of(cell.id):
            name = part.name
        elif cell.id in released.cells:  # before the first part or behind the last
            name = ""
        own = cell.id not in tests if cell.cell_type == "code" else cell.id in manual or cell.source not in given
        if own and (cell.source.strip() or cell.get("outputs")):
            highlighted += len(cell.source)
            anchor = _anchor(number)
            shown.setdefault(name, []).append(show_cell(cell, anchor, here.get(anchor, 0), highlighted < MAX_COLOURED))
    return shown


def _autograded(course: CourseFolder, student: str, practical: str) -> NotebookNode | None:
    try:
        notebook = read_cells(course.autograded(student, practical) / f"{practical}.ipynb")
        for number, cell in enumerate(notebook.cells):
            cell.setdefault("id", f"cell-{number}")
            cell.setdefault("metadata", NotebookNode())
            cell.setdefault("source", "")
        return notebook
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None


def _copy_for_release(course: CourseFolder, student: str, practical: str) -> None:
    """Put beside the page what nbgrader's exchange needs; it is there only if the exchange brought the submission."""
    for name in FOR_RELEASE:
        for folder in (course.autograded(student, practical), course.submitted(student, practical)):
            path = folder / name
            with contextlib.suppress(PermissionError):  # such as a folder that only the student may enter
                if path.is_file() and not path.is_symlink() and path.stat().st_size < MAX_FOR_RELEASE:
                    shutil.copyfile(path, course.feedback(student, practical) / name)
                    break
