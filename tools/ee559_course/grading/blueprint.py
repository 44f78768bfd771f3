"""What a submission must be made of: the practical's cells as the gradebook knows them, in their source's order."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ee559.practicals
import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI

from ee559_course.grading.course_folder import CourseFolder
from ee559_course.practicals.release import ReleaseError, nbgrader_config


@dataclass(frozen=True)
class PlannedCell:
    """One cell that nbgrader knows.

    Attributes:
        name: its id.
        cell_type: ``code`` or ``markdown``.
        source: as the gradebook has it: a test whole, an answer as it was released.
        checksum: nbgrader's, of the released cell.
        points: that it gives, or None.
        is_test: whether it is a test, and not an answer of the student's.
    """

    name: str
    cell_type: str
    source: str
    checksum: str
    points: float | None
    is_test: bool

    @property
    def metadata(self) -> dict[str, Any]:
        """nbgrader's metadata of the cell."""
        marks: dict[str, Any] = {
            "cell_type": self.cell_type,
            "checksum": self.checksum,
            "grade": self.points is not None,
            "grade_id": self.name,
            "locked": self.is_test,
            "schema_version": 3,
            "solution": not self.is_test,
            "task": False,
        }
        return {"nbgrader": marks | ({} if self.points is None else {"points": self.points})}


@dataclass(frozen=True)
class Blueprint:
    """A practical to grade by.

    Attributes:
        practical: its name.
        notebook: the source, with solutions and hidden tests.
        cells: those that nbgrader knows, in order, under their names.
        files: texts that lie beside the released notebook, by name.
        digest: changes when anything changes that marks depend on.
    """

    practical: str
    notebook: NotebookNode
    cells: dict[str, PlannedCell]
    files: dict[str, str]
    digest: str


def read_blueprint(course: CourseFolder, practical: str) -> Blueprint:
    """Read a practical, and tell the gradebook of it first if it does not know it as it is.

    Raises:
        ReleaseError: there is no such practical in the course folder, or nbgrader refuses it.
    """
    folder = course.root / "solutions" / practical
    path = folder / f"{practical}.ipynb"
    if not path.exists():
        known = ", ".join(sorted(each.parent.name for each in course.root.glob("solutions/*/*.ipynb"))) or "none"
        raise ReleaseError(f"no such practical: {practical}: in {course.root / 'solutions'} there is {known}.")
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    cells = _planned_cells(course, practical, notebook)
    if cells is None:
        _tell_gradebook(course, practical)
        cells = _planned_cells(course, practical, notebook)
    if cells is None:
        raise ReleaseError(f"{practical}: nbgrader's gradebook does not have the cells of {path}.")
    files = {
        each.name: each.read_text(encoding="utf-8")
        for each in sorted(folder.iterdir())
        if each.suffix in (".md", ".txt")
    }
    digest = hashlib.sha256(path.read_bytes())
    for module in sorted(Path(ee559.practicals.__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return Blueprint(practical, notebook, cells, files, digest.hexdigest())


def _planned_cells(course: CourseFolder, practical: str, notebook: NotebookNode) -> dict[str, PlannedCell] | None:
    """Read the cells from the gradebook; None if they are not those of the source."""
    with course.gradebook() as gradebook:
        try:
            known = {cell.name: cell for cell in gradebook.find_notebook(practical, practical).source_cells}
            points = _points(gradebook, practical)
        except MissingEntry:
            return None
    planned = {}
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader")
        if not marks:
            continue
        is_test = not marks.solution
        source = known.get(cell.id)
        if source is None or (is_test and source.source != cell.source) or points.get(cell.id) != marks.get("points"):
            return None
        planned[cell.id] = PlannedCell(
            cell.id, cell.cell_type, source.source, source.checksum, marks.get("points"), is_test
        )
    return planned if planned.keys() == known.keys() else None


def _points(gradebook: Gradebook, practical: str) -> dict[str, float]:
    return {cell.name: cell.max_score for cell in gradebook.find_notebook(practical, practical).grade_cells}


def _tell_gradebook(course: CourseFolder, practical: str) -> None:
    """Let nbgrader read the source; what is released stays as it is."""
    with tempfile.TemporaryDirectory() as scratch:
        config = nbgrader_config(course.root, release_directory=Path(scratch))
        done = NbGraderAPI(config=config).generate_assignment(practical, force=True, create=True)
    if not done["success"]:
        raise ReleaseError(f"{practical}: nbgrader refused it: {done.get('error') or done.get('log')}")
