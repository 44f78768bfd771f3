"""A practical as a course folder has it: its source, what students were given, what none of them may read."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ee559_course.grading.course_folder import CourseFolder
from ee559_course.paths import LECTURES, PRACTICALS, SOLUTIONS
from ee559_course.practicals.practical import Practical, read_practical


@dataclass(frozen=True)
class Lecture:
    """The place of a lecture that explains a part of a practical: number, title and heading."""

    number: str
    title: str
    heading: str


@dataclass(frozen=True)
class Released:
    """A practical that was released.

    Attributes:
        practical: its source.
        cells: the source of each cell that students were given, under its id.
        secrets: lines of solutions, rubrics and hidden tests, plain and as JSON, Python and HTML write them.
    """

    practical: Practical
    cells: Mapping[str, str]
    secrets: frozenset[str]


def read_released(course: CourseFolder, name: str) -> Released:
    """Read a practical from the course folder, or from the repository where the folder has no copy.

    Raises:
        ReleaseError: there is no such practical.
    """
    own = course.root / str(course.config.CourseDirectory.source_directory)
    practical = read_practical(name, own if (own / name).exists() else SOLUTIONS)
    path = course.root / str(course.config.CourseDirectory.release_directory) / name / f"{name}.ipynb"
    cells = read_cells(path if path.exists() else PRACTICALS / name / f"{name}.ipynb").cells
    secrets = frozenset(form for line in practical.secrets() for form in _forms(line))
    return Released(practical, {cell.id: cell.source for cell in cells}, secrets)


def read_cells(path: Path) -> NotebookNode:
    """Read a notebook without validating it, which takes longer than all else."""
    notebook: NotebookNode = nbformat.v4.reads(path.read_text(encoding="utf-8"))
    return notebook


@cache
def find_lecture(number: str, heading: str) -> Lecture:
    """Return the place of a lecture, by its number and a heading in it."""
    path = next(LECTURES.glob(f"{number}-*.ipynb"), None)
    first: str = read_cells(path).cells[0].source.partition("\n")[0] if path else ""
    return Lecture(number, first.partition(" · ")[2], heading)


def _forms(line: str) -> Iterator[str]:
    yield from (line, json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1])
    yield from (repr(line)[1:-1], escape(line), escape(line, quote=False))
