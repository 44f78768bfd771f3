"""Course folders for tests of the grading: the real practicals, a real gradebook, and what students hand in."""

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import nbformat
import pytest
from ee559_course.grading.blueprint import read_blueprint
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.paths import PRACTICALS, ROOT, SOLUTIONS
from ee559_course.practicals.answer_bank import source_notebook
from machine import CONFINEMENT
from nbformat import NotebookNode

NEEDS_CONFINEMENT = pytest.mark.needs(CONFINEMENT)


@cache
def _template() -> Path:
    """Make one course folder whose gradebook knows the practical `sizes`; registering it takes seconds."""
    root = Path(mkdtemp(prefix="course-"))
    shutil.copytree(SOLUTIONS, root / "solutions")
    shutil.copy2(ROOT / "nbgrader_config.py", root)
    read_blueprint(CourseFolder(root), "sizes")
    return root


def course_at(root: Path) -> CourseFolder:
    """Make a course folder of its own for a test."""
    shutil.copytree(_template(), root)
    return CourseFolder(root)


def released(practical: str = "sizes") -> NotebookNode:
    """Read what students get."""
    notebook: NotebookNode = nbformat.read(PRACTICALS / practical / f"{practical}.ipynb", as_version=4)
    return notebook


def solved(answers: Mapping[str, str] | None = None, practical: str = "sizes") -> NotebookNode:
    """Fill the released practical with the solution, and with other answers where some are given.

    Args:
        answers: cells' sources, by id; also of cells that are no answers.
        practical: its name.
    """
    solutions = {
        cell.id: cell.source
        for cell in source_notebook(practical).cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    notebook = released(practical)
    for cell in notebook.cells:
        cell.source = {**solutions, **(answers or {})}.get(cell.id, cell.source)
    return notebook


def hand_in(course: CourseFolder, student: str, notebook: NotebookNode | bytes | str, practical: str = "sizes") -> Path:
    """Put a notebook, or any content, where nbgrader collects it."""
    path = course.submitted(student, practical) / f"{practical}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(notebook, NotebookNode):
        nbformat.write(notebook, path)
    elif isinstance(notebook, str):
        path.write_text(notebook, encoding="utf-8")
    else:
        path.write_bytes(notebook)
    return path
