"""A course folder with what a class hands in: right answers, wrong ones of the practicals' banks, and a blank."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import nbformat
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.plan.grading_plan import read_plan
from ee559_course.paths import PRACTICALS, ROOT, SOLUTIONS
from ee559_course.practicals.answer_bank import load_answers, pack
from ee559_course.practicals.practical import is_answer, read_practical
from nbformat import NotebookNode

SIZE = 24
OURS = re.compile(r"^c\.ExecutePreprocessor\.shutdown_kernel = .*\n", re.MULTILINE)


def class_of(practical: str) -> list[NotebookNode]:
    """Make 24 submissions: the release as it comes, the solution, right answers of the bank, then wrong ones.

    First come submissions with a wrong answer in as many parts as there is one for, then some with one wrong answer.

    Args:
        practical: such as ``sizes``.
    """
    source = read_practical(practical)
    bank = load_answers(source)
    solution = {cell.id: cell.source for cell in source.notebook.cells if is_answer(cell)}
    right, wrong = ([answer for answer in bank if answer.kind == kind] for kind in ("right", "wrong"))
    answered = [{}, *pack(right), *pack(wrong), *({answer.cell: answer} for answer in wrong)]
    sources = [{cell: answer.source for cell, answer in each.items()} for each in answered]
    return [_filled(practical, {}), *(_filled(practical, {**solution, **each}) for each in sources[: SIZE - 1])]


def _filled(practical: str, answers: Mapping[str, str]) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(PRACTICALS / practical / f"{practical}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    return notebook


def make_course(root: Path, *practicals: str) -> CourseFolder:
    """Make a course folder whose gradebook knows some practicals, so that no grading has to tell it."""
    for practical in practicals:
        shutil.copytree(SOLUTIONS / practical, root / "solutions" / practical)
    shutil.copy2(ROOT / "nbgrader_config.py", root)
    course = CourseFolder(root)
    for practical in practicals:
        read_plan(course, practical)
    return course


def hand_in(course: CourseFolder, practical: str, number: int = SIZE, first: int = 0) -> list[str]:
    """Hand in a practical for a number of students, class after class; return their ids.

    Args:
        course: where to.
        practical: its name.
        number: of students.
        first: place of the first one's submission in the class.
    """
    submissions = [nbformat.writes(notebook) for notebook in class_of(practical)]
    students = [f"student-{index:04}" for index in range(number)]
    for index, student in enumerate(students, first):
        path = course.submitted(student, practical) / f"{practical}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(submissions[index % SIZE], encoding="utf-8")
    return students


def copy_course(course: CourseFolder, root: Path, as_nbgrader_comes: bool = False) -> CourseFolder:
    """Copy a course folder before it is graded.

    Args:
        course: to copy.
        root: where to.
        as_nbgrader_comes: whether to leave out our setting for how a kernel is shut down.
    """
    shutil.copytree(course.root, root)
    if as_nbgrader_comes:
        settings = root / "nbgrader_config.py"
        text, found = OURS.subn("", settings.read_text(encoding="utf-8"))
        assert found == 1, "nbgrader_config.py has no such setting any more"
        settings.write_text(text, encoding="utf-8")
    return CourseFolder(root)


def scores_of(course: CourseFolder, practical: str) -> dict[str, dict[str, float]]:
    """Read from the gradebook what each student has for each hidden test."""
    with course.gradebook() as gradebook:
        return {
            submission.student.id: {
                grade.name: float(grade.auto_score or 0)
                for notebook in submission.notebooks
                for grade in notebook.grades
                if grade.cell.cell_type == "code"
            }
            for submission in gradebook.assignment_submissions(practical)
        }
