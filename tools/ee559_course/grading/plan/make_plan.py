"""Make a practical's plan, in a process of its own: it needs torch, which a grader does without.

Arguments: the course folder, the practical and the digest that says what the plan is of. If the gradebook does not
know the practical as it is, it is told of it. Exit status 1: the last line says why it could not be done.
"""

import sys
import tempfile
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI

from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.errors import GradingError, reporting_file_errors
from ee559_course.grading.plan.grading_plan import (
    GradingPlan,
    PlannedCell,
    PlannedTest,
    keep,
    known_cells,
    plan_path,
)
from ee559_course.practicals.practical import Practical, ReleaseError, read_practical
from ee559_course.practicals.release import full_notebook, nbgrader_config


def make_plan(course: CourseFolder, practical: str, digest: str) -> GradingPlan:
    """Make a plan, and keep it.

    Raises:
        ReleaseError: the practical is broken, or nbgrader refuses it.
    """
    source = read_practical(practical, course.root / "solutions")
    notebook = full_notebook(source)
    cells = _planned_cells(course, notebook, practical)
    if cells is None:
        _tell_gradebook(course, practical)
        cells = _planned_cells(course, notebook, practical)
    if cells is None:
        raise ReleaseError(f"{practical}: nbgrader's gradebook does not have the cells of {source.folder}.")
    tests = tuple(_planned_tests(source))
    made = GradingPlan(
        practical,
        source.version,
        notebook,
        cells,
        tests,
        source.code,
        dict(source.files),
        course.cell_seconds,
        digest,
    )
    keep(made, plan_path(course, practical))
    return made


def _planned_cells(course: CourseFolder, notebook: NotebookNode, practical: str) -> dict[str, PlannedCell] | None:
    """Read the cells from the gradebook, in the order of the source; None if they are not those of the source."""
    known = known_cells(course, practical) or {}
    marked = {cell.id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}
    for name, cell in marked.items():
        planned = known.get(name)
        if planned is None or planned.points != cell.metadata.nbgrader.get("points"):
            return None
        if planned.is_test and planned.source != cell.source:
            return None
    return {name: known[name] for name in marked} if marked.keys() == known.keys() else None


def _planned_tests(practical: Practical) -> list[PlannedTest]:
    return [
        PlannedTest(test.id(), part.name, test.title(), float(test.points))
        for part in practical.parts
        for test in part.tests
    ]


def _tell_gradebook(course: CourseFolder, practical: str) -> None:
    """Let nbgrader read the source; what is released stays as it is."""
    with tempfile.TemporaryDirectory() as scratch:
        config = nbgrader_config(course.root, release_directory=Path(scratch))
        done = NbGraderAPI(config=config).generate_assignment(practical, force=True, create=True)
    if not done["success"]:
        raise ReleaseError(f"{practical}: nbgrader refused it: {done.get('error') or done.get('log')}")


def main() -> int:
    """Make the plan that the arguments name."""
    root, practical, digest = sys.argv[1:]
    try:
        with reporting_file_errors():
            make_plan(CourseFolder(Path(root)), practical, digest)
    except (GradingError, ReleaseError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
