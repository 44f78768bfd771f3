"""Course folders for tests of the grading: a tiny practical, a real gradebook, and what students hand in."""

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import nbformat
import pytest
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.plan.grading_plan import read_plan
from ee559_course.paths import ROOT
from ee559_course.practicals.practical import REGION, STUB, Practical, is_answer, read_practical
from ee559_course.practicals.recording import recorded
from machine import CONFINEMENT
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI

NEEDS_CONFINEMENT = pytest.mark.needs(CONFINEMENT)
TINY = Path(__file__).with_name("practicals")
FULL = 15.0  # points of its tests; 3 more are given by hand


@cache
def template() -> Path:
    """Make one course folder with the practical `tiny`, released and known to the gradebook, which takes seconds."""
    root = Path(mkdtemp(prefix="course-"))
    folder = shutil.copytree(TINY / "tiny", root / "solutions" / "tiny")
    (folder / "checks.txt").write_text(recorded(read_practical("tiny", TINY)), encoding="utf-8")  # for its check cells
    shutil.copy2(ROOT / "nbgrader_config.py", root)
    config = CourseFolder(root).config
    done = NbGraderAPI(config=config).generate_assignment("tiny", force=True, create=True)
    assert done["success"], done
    read_plan(CourseFolder(root), "tiny")  # which takes seconds too
    return root


def tiny() -> Practical:
    """Read the practical as the course folders have it."""
    return read_practical("tiny", template() / "solutions")


def course_at(root: Path) -> CourseFolder:
    """Make a course folder of its own for a test."""
    shutil.copytree(template(), root)
    return CourseFolder(root)


def released() -> NotebookNode:
    """Read what students get."""
    notebook: NotebookNode = nbformat.read(template() / "practicals" / "tiny" / "tiny.ipynb", as_version=4)
    return notebook


def solution(practical: Practical) -> dict[str, str]:
    """Return the right answer of each cell in code, without marks and stub, as a student would write it."""
    return {
        cell.id: "\n".join(
            line for line in STUB.sub("", cell.source).splitlines() if not line.strip().startswith("### ")
        ).rstrip()
        for cell in practical.notebook.cells
        if cell.cell_type == "code" and is_answer(cell) and REGION.search(cell.source)
    }


def solved(answers: Mapping[str, str] | None = None) -> NotebookNode:
    """Fill the released practical with the solution, and with other answers where some are given.

    Args:
        answers: cells' sources, by id; also of cells that are no answers.
    """
    filled = solution(tiny()) | {"words-why": "All windows share the same weights."} | dict(answers or {})
    notebook = released()
    for cell in notebook.cells:
        cell.source = filled.get(cell.id, cell.source)
    return notebook


def hand_in(course: CourseFolder, student: str, notebook: NotebookNode | bytes | str, practical: str = "tiny") -> Path:
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
