"""Make the students' practicals from the solutions with nbgrader, and only if the solutions keep the rules."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from ee559_course.paths import PRACTICALS, ROOT, SOLUTIONS
from ee559_course.practicals.hidden_tests import hidden_test_problems, private_lines

PRACTICAL_NAMES = ("sizes", "filters", "modules", "network", "batches")
SHORTEST_SECRET = 14  # shorter lines, such as `return x`, are everybody's
STUB = re.compile(r'^ +raise NotImplementedError\("[^"]{10,}"\)$', re.MULTILINE)
HIDDEN_FUNCTION = re.compile(
    r"### BEGIN HIDDEN TESTS\ndef judge\(\):\n(?:(?: {4}.*)?\n)*judge\(\)\n### END HIDDEN TESTS"
)
WRITTEN = re.compile(r"^(?:def|class) (\w+)", re.MULTILINE)
PART_MINUTES = re.compile(r"^## Part .*\((\d+) minutes,", re.MULTILINE)
REGION = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n.*?### END \1", re.DOTALL)


class ReleaseError(Exception):
    """A practical cannot be released; the message names the file and the cell."""


def nbgrader_config(root: Path, **directories: Path) -> Config:
    """Load the nbgrader settings of a course folder, its own or this course's, with a gradebook of its own.

    Args:
        root: where the gradebook and all folders lie that are not named.
        directories: such as ``source_directory=…``, in place of the settings' own.
    """
    own = root if (root / "nbgrader_config.py").exists() else ROOT
    config: Config = PyFileConfigLoader("nbgrader_config.py", path=str(own)).load_config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.db_url = f"sqlite:///{root / 'gradebook.db'}"
    for name, folder in directories.items():
        config.CourseDirectory[name] = str(folder)
    return config


def make_release(output: Path = PRACTICALS, names: tuple[str, ...] = PRACTICAL_NAMES) -> list[Path]:
    """Write the student version of each practical into ``output``, replacing what stood there when all is made.

    Raises:
        ReleaseError: a solution breaks a rule, or nbgrader refuses it.
    """
    problems = [problem for name in names for problem in practical_problems(name)]
    if problems:
        raise ReleaseError("\n".join(problems))
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "release"
        api = NbGraderAPI(config=nbgrader_config(Path(scratch), source_directory=SOLUTIONS, release_directory=fresh))
        for name in names:
            result = api.generate_assignment(name, force=True, create=True)
            if not result["success"]:
                raise ReleaseError(f"{name}: nbgrader refused it: {result.get('error') or result.get('log')}")
        written = []
        for name in names:
            target = output / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(fresh / name, target)
            written.append(target / f"{name}.ipynb")
    return written


def secret_lines(notebook: NotebookNode) -> set[str]:
    """Collect what no student may read: the lines of the solutions, and the cases and verdicts of the hidden tests.

    Args:
        notebook: the source of a practical.
    """
    lines: set[str] = set()
    for cell in notebook.cells:
        for region in REGION.finditer(cell.source):
            solution = region[1] == "SOLUTION"
            lines |= {line.strip() for line in region[0].splitlines()[1:-1]} if solution else private_lines(cell)
    return {line for line in lines if len(line) > SHORTEST_SECRET}


def practical_problems(name: str, solutions: Path = SOLUTIONS) -> list[str]:
    """List what is wrong with the source of a practical, each with file and cell."""
    path = solutions / name / f"{name}.ipynb"
    if not path.exists():
        known = ", ".join(sorted(folder.name for folder in solutions.iterdir() if folder.is_dir()))
        return [f"{path.name}: no such practical: expected one of {known}."]
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds, and all mean the same here
        return [f"{path.name}: not a notebook: {str(error).splitlines()[0]}"]
    return [f"{path.name}, {cell}: {what}" for cell, what in (*_cell_problems(notebook), *_point_problems(notebook))]


def _cell_problems(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    written = _what_students_write(notebook)
    for cell in notebook.cells:
        if cell.id in seen:
            yield cell.id, "two cells have this id: rename one."
        seen.add(cell.id)
        if cell.get("outputs") or cell.get("execution_count"):
            yield cell.id, "it has outputs: clear them."
        marks = cell.metadata.get("nbgrader")
        has_region = bool(REGION.search(cell.source))
        if marks is None:
            if has_region:
                yield cell.id, "a solution or hidden test in a cell that nbgrader does not know: it would be released."
            continue
        if marks.grade_id != cell.id:
            yield cell.id, f"its grade_id is {marks.grade_id!r}: make it the cell's id, so that both are stable."
        if not has_region:
            yield cell.id, "expected a region ### BEGIN SOLUTION or ### BEGIN HIDDEN TESTS, with its end."
        if marks.grade and not marks.solution:
            yield from ((cell.id, problem) for problem in _test_problems(cell, written))
        if cell.cell_type == "code" and marks.solution and not STUB.search(REGION.sub("", cell.source)):
            yield cell.id, 'expected raise NotImplementedError("what to return, with shapes") after the solution.'


def _test_problems(cell: NotebookNode, written: set[str]) -> list[str]:
    if not HIDDEN_FUNCTION.search(cell.source):
        return ["expected one function judge() and its call: names of hidden tests must not reach answers."]
    return hidden_test_problems(cell, written)


def _what_students_write(notebook: NotebookNode) -> set[str]:
    """Collect the names of the functions and classes in the solution cells."""
    return {
        found[1]
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")
        for found in WRITTEN.finditer(cell.source)
    }


def _point_problems(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    title = notebook.cells[0]
    stated = re.search(r"\*\*Points\*\* (\d+)", title.source)
    total = sum(cell.metadata.nbgrader.points for cell in notebook.cells if _graded(cell))
    if stated is None or int(stated[1]) != total:
        yield title.id, f"expected **Points** {total:g}, the sum over the graded cells, got {stated and stated[0]}."
    for label in ("**Objectives**", "**Minutes**", "**Before you start**"):
        if label not in title.source:
            yield title.id, f"expected {label} in the first cell."
    stated = re.search(r"\*\*Minutes\*\* (\d+)", title.source)
    minutes = sum(int(found) for cell in notebook.cells for found in PART_MINUTES.findall(cell.source))
    if stated is None or int(stated[1]) != minutes:
        yield title.id, f"expected **Minutes** {minutes}, the sum over the parts, got {stated and stated[0]}."
    part = None
    for cell in notebook.cells:
        if found := re.search(r"^## Part .*\((.*?)\)$", cell.source, re.MULTILINE):
            yield from _part_total(notebook, part)
            part = (cell.id, found[1])
    yield from _part_total(notebook, part)


def _part_total(notebook: NotebookNode, part: tuple[str, str] | None) -> Iterator[tuple[str, str]]:
    """Compare the points in a part's heading with the points of the cells up to the next part."""
    if part is None:
        return
    cells = notebook.cells[[cell.id for cell in notebook.cells].index(part[0]) + 1 :]
    total = 0.0
    for cell in cells:
        if cell.source.startswith("## "):
            break
        total += cell.metadata.nbgrader.points if _graded(cell) else 0
    if not re.search(rf"\b{total:g} points?\b", part[1]):
        yield part[0], f"expected {total:g} points in its heading, got '{part[1]}'."


def _graded(cell: NotebookNode) -> bool:
    marks = cell.metadata.get("nbgrader")
    return bool(marks and marks.grade)
