"""Write results where nbgrader has them: the graded notebook that the formgrader shows, and the gradebook."""

import os
import sqlite3
import time
import warnings
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import compute_checksum, determine_grade, parse_utc
from sqlalchemy.exc import SAWarning

from ee559_course.grading.blueprint import Blueprint
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.harmless import make_harmless
from ee559_course.grading.record import TestMark
from ee559_course.grading.run.task import Output, StepResult

BACKUPS_KEPT = 10


def back_up(course: CourseFolder) -> Path | None:
    """Copy the gradebook beside itself, as one moment had it; the ten newest copies are kept. None if there is none."""
    if not course.gradebook_file.exists():
        return None
    folder = course.root / "grading" / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"gradebook-{time.strftime('%Y%m%d-%H%M%S')}.db"
    unfinished = copy.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    source, target = sqlite3.connect(course.gradebook_file), sqlite3.connect(unfinished)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    os.replace(unfinished, copy)
    for old in sorted(folder.glob("gradebook-*.db"))[:-BACKUPS_KEPT]:
        old.unlink()
    return copy


def graded_notebook(
    submitted: NotebookNode, results: Mapping[str, StepResult], marks: Mapping[str, TestMark]
) -> NotebookNode:
    """Put outputs into a submission's notebook: what its cells showed, and what each test found.

    Args:
        submitted: as `ee559_course.grading.intake` read it; it is changed.
        results: of each code cell, by id.
        marks: of each test, by id.
    """
    for count, cell in enumerate((cell for cell in submitted.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
        outputs = results[cell.id].outputs if cell.id in results else []
        if cell.id in marks:
            outputs = _test_outputs(outputs, marks[cell.id])
        elif cell.id in results and results[cell.id].status == "interrupted":
            outputs = [*outputs, _error("Timeout", "The cell ran longer than a cell may, and was interrupted.")]
        cell.outputs = [nbformat.from_dict(output) for output in outputs]
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return make_harmless(submitted)


def _test_outputs(outputs: list[Output], mark: TestMark) -> list[Output]:
    """Keep what a test's answers printed, and add why points are lost: nbgrader reads the points from just that."""
    printed = [{**output, "name": "stdout"} for output in outputs if output["output_type"] == "stream"]
    shown = [output for output in outputs if output["output_type"] == "display_data"]
    return [*printed, *shown, *([_error("AssertionError", mark.message)] if mark.message else [])]


def _error(name: str, message: str) -> Output:
    return {"output_type": "error", "ename": name, "evalue": message, "traceback": [f"{name}: {message}"]}


def write_graded_notebook(course: CourseFolder, student: str, blueprint: Blueprint, notebook: NotebookNode) -> Path:
    """Write the notebook whole or not at all, with the files that the practical has beside it."""
    folder = course.autograded(student, blueprint.practical)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in blueprint.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / f"{blueprint.practical}.ipynb"
    unfinished = folder / f".{blueprint.practical}.unfinished"
    nbformat.write(notebook, unfinished)
    os.replace(unfinished, path)
    return path


def write_marks(
    gradebook: Gradebook,
    course: CourseFolder,
    student: str,
    practical: str,
    notebook: NotebookNode,
    to_look_at: Collection[str] = (),
) -> None:
    """Write a graded notebook's points and comments into the gradebook, as nbgrader's own autograder does.

    A grade that a person has given stays, and is marked to be looked at again.

    Args:
        gradebook: open; it stays so for the next submission, because to open one takes as long as to write in it.
        course: whose gradebook it is.
        student: id.
        practical: its name.
        notebook: as `graded_notebook` makes it.
        to_look_at: ids of tests that a person must look at.
    """
    cells = {cell.id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}
    options: dict[str, Any] = {}
    stamp = course.submitted(student, practical) / "timestamp.txt"
    if stamp.is_file() and not stamp.is_symlink() and (said := _timestamp(stamp)):
        options["timestamp"] = said
    with ExitStack() as end, warnings.catch_warnings():
        end.callback(gradebook.db.remove)  # forgets what was read and undoes what was not committed
        warnings.simplefilter("ignore", SAWarning)  # of nbgrader's own way to add a submission
        gradebook.update_or_create_student(student)
        gradebook.update_or_create_submission(practical, student, **options)
        submitted = gradebook.find_submission_notebook(practical, practical, student)
        for grade in submitted.grades:
            grade.auto_score, _ = determine_grade(cells[grade.name])
            by_hand = grade.manual_score is not None or grade.auto_score is None
            grade.needs_manual_grade = by_hand or grade.name in to_look_at
        for comment in submitted.comments:
            cell = cells.get(comment.name)
            untouched = cell is None or cell.metadata.nbgrader.checksum == compute_checksum(cell)
            comment.auto_comment = "No response." if untouched else None
        gradebook.db.commit()
        late = gradebook.find_submission(practical, student).total_seconds_late > 0
        had_penalty = submitted.late_submission_penalty
    if late or had_penalty:
        _assign_late_penalty(course, student, practical, notebook)


def _timestamp(path: Path) -> str | None:
    """Read when the notebook was handed in; None if the file does not say it."""
    try:
        text = path.read_text(encoding="utf-8")[:100].strip()
        parse_utc(text)
    except (OSError, ValueError, OverflowError):
        return None
    return text


def _assign_late_penalty(course: CourseFolder, student: str, practical: str, notebook: NotebookNode) -> None:
    names = {"notebook": practical, "assignment": practical, "student": student, "db_url": course.db_url}
    AssignLatePenalties(config=course.config).preprocess(notebook, {"nbgrader": names})
