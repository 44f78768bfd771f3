"""What a submission must be made of: the practical's cells as the gradebook knows them, in their source's order.

It is made where torch is, in a process of its own, and kept in ``grading/PRACTICAL/plan.json`` for as long as the
practical and what grades it stay the same.
"""

import hashlib
import importlib.util
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from ee559_course.files import replacing
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.practicals.practical import TESTS, ReleaseError, practical_names

FORM = 2  # of the file; another one is made anew
BEFORE = "blueprint.json"  # its name before 0.2
GRADES = (
    "ee559/checks.py",
    "ee559/practicals/*.py",
    "ee559_course/practicals/*.py",
    "ee559_course/grading/marking/judge.py",
)

OF_THE_PRACTICAL = (
    "JOIN notebook ON notebook.id = notebook_id JOIN assignment ON assignment.id = assignment_id "
    "WHERE notebook.name = ? AND assignment.name = ?"
)
CELLS = f"SELECT source_cell.name, cell_type, source, checksum, locked FROM source_cell {OF_THE_PRACTICAL} "
POINTS = (
    "SELECT base_cell.name, max_score FROM base_cell JOIN grade_cells ON grade_cells.id = base_cell.id "
    f"{OF_THE_PRACTICAL}"
)


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
class PlannedTest:
    """A hidden test, as its mark names it: id of its cell, such as ``Part 2``, what it looks at, its points."""

    cell: str
    part: str
    about: str
    points: float


@dataclass(frozen=True)
class GradingPlan:
    """A practical to grade by.

    Attributes:
        practical: its name.
        version: of the practical, as the released notebook carries it.
        notebook: the source, with solutions and hidden tests.
        cells: those that nbgrader knows, in order, under their names.
        tests: in order.
        code: the text of ``hidden_tests.py``.
        files: texts that lie beside the released notebook, by name.
        cell_seconds: how long a cell may run, as for nbgrader's own autograder.
        digest: changes when anything changes that marks depend on.
    """

    practical: str
    version: str
    notebook: NotebookNode
    cells: dict[str, PlannedCell]
    tests: tuple[PlannedTest, ...]
    code: str
    files: dict[str, str]
    cell_seconds: float
    digest: str

    def to_json(self) -> str:
        """Write it."""
        return json.dumps({"form": FORM, **asdict(self)}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "GradingPlan":
        """Read what `to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        fields = json.loads(text)
        if fields.pop("form") != FORM:
            raise ValueError("a plan of another form")
        fields["notebook"] = nbformat.from_dict(fields["notebook"])
        fields["cells"] = {name: PlannedCell(**cell) for name, cell in fields["cells"].items()}
        fields["tests"] = tuple(PlannedTest(**test) for test in fields["tests"])
        return cls(**fields)


def read_plan(course: CourseFolder, practical: str) -> GradingPlan:
    """Read a practical, and tell the gradebook of it first if it does not know it as it is.

    Raises:
        ReleaseError: there is no such practical in the course folder, or nbgrader refuses it.
    """
    folder = course.root / "solutions" / practical
    if not (folder / f"{practical}.ipynb").exists():
        known = ", ".join(practical_names(folder.parent)) or "none"
        raise ReleaseError(f"no such practical: {practical}: in {folder.parent} there is {known}.")
    if not (folder / TESTS).exists():
        raise ReleaseError(
            f"{practical}: expected hidden tests in {folder / TESTS}. Where they stand in the notebook, as they did "
            "before, `ee559 upgrade` brings the course folder up, and nothing in it is lost."
        )
    digest = digest_of(course, folder)
    made = _kept(course, practical, digest)
    if made is None:
        command = [sys.executable, "-m", "ee559_course.grading.plan.make_plan", str(course.root), practical, digest]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ReleaseError(done.stderr.strip() or f"{practical} cannot be read.")
        made = _kept(course, practical, digest)
    if made is None:
        raise ReleaseError(f"{practical}: nbgrader's gradebook does not have the cells of {folder}.")
    return made


def plan_path(course: CourseFolder, practical: str) -> Path:
    """Return where the plan is kept."""
    return course.grading(practical) / "plan.json"


def keep(plan: GradingPlan, path: Path) -> None:
    """Write a plan whole or not at all; it has the solutions, so its owner alone may read it."""
    with replacing(path) as unfinished:
        unfinished.touch(0o600, exist_ok=False)
        unfinished.write_text(plan.to_json(), encoding="utf-8")
    path.with_name(BEFORE).unlink(missing_ok=True)


def _kept(course: CourseFolder, practical: str, digest: str) -> GradingPlan | None:
    """Read the plan that is kept; None if it is not of this practical, or the gradebook has other cells."""
    try:
        made = GradingPlan.from_json(plan_path(course, practical).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return made if made.digest == digest and known_cells(course, practical) == made.cells else None


def known_cells(course: CourseFolder, practical: str) -> dict[str, PlannedCell] | None:
    """Return the cells that the gradebook knows; None if it does not know the practical."""
    if not course.gradebook_file.exists():
        return None
    with closing(sqlite3.connect(course.gradebook_file)) as gradebook:
        try:
            cells = gradebook.execute(CELLS, (practical, practical)).fetchall()
            points = dict(gradebook.execute(POINTS, (practical, practical)).fetchall())
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return None
    planned = (
        PlannedCell(name, kind, source, checksum, points.get(name), bool(locked))
        for name, kind, source, checksum, locked in cells
    )
    return {cell.name: cell for cell in planned} or None


def digest_of(course: CourseFolder, folder: Path) -> str:
    """Digest all that marks depend on: the practical's folder, settings, and the code that asks and judges."""
    digest = hashlib.sha256()
    settings = [path for path in (course.root / "nbgrader_config.py",) if path.exists()]
    for path in (*sorted(path for path in folder.iterdir() if path.is_file()), *settings, *_code()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _code() -> Iterator[Path]:
    for pattern in GRADES:
        package, _, rest = pattern.partition("/")
        found = importlib.util.find_spec(package)
        for place in (found and found.submodule_search_locations) or ():
            yield from sorted(Path(place).glob(rest))
