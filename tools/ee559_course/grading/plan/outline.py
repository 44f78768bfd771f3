"""What a practical's source says about its grades: parts, tests, words that stay secret, lectures that explain."""

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
from ee559_course.practicals.source import Part, read_source


@dataclass(frozen=True)
class Lecture:
    """The place of a lecture that explains a part of a practical: number, title and heading."""

    number: str
    title: str
    heading: str


@dataclass(frozen=True)
class PartOutline:
    """One part of a practical.

    Attributes:
        name: such as ``Part 2``.
        title: what its heading says after that.
        cells: ids of its cells and of its hidden tests, in order.
        tests: for each hidden test, what it looks at.
        by_hand: ids of the cells that a person grades.
        explained: the lecture that explains it, if one is named.
    """

    name: str
    title: str
    cells: tuple[str, ...]
    tests: Mapping[str, str]
    manual: tuple[str, ...]
    explained: Lecture | None

    def lectures(self, message: str) -> list[Lecture]:
        """Return what explains a test's message."""
        return [self.explained] if self.explained else []


@dataclass(frozen=True)
class Outline:
    """One practical.

    Attributes:
        practical: such as ``sizes``.
        title: its first heading.
        parts: its parts, in order.
        released: the source of each cell that students are given, under its id.
        answers: ids of the cells that students write code into.
        secrets: lines of solutions, rubrics and hidden tests, plain and as JSON, Python and HTML write them.
    """

    practical: str
    title: str
    parts: tuple[PartOutline, ...]
    released: Mapping[str, str]
    answers: tuple[str, ...]
    secrets: frozenset[str]

    def part_of(self, cell: str) -> PartOutline | None:
        """Return the part that a cell belongs to."""
        return next((part for part in self.parts if cell in part.cells), None)


def read_outline(course: CourseFolder, practical: str) -> Outline:
    """Read the outline from the course folder, or from the repository where the folder has no copy.

    Raises:
        ReleaseError: there is no such practical.
    """
    own = course.root / str(course.config.CourseDirectory.source_directory)
    source = read_source(practical, own if (own / practical).exists() else SOLUTIONS)
    released = course.root / str(course.config.CourseDirectory.release_directory) / practical / f"{practical}.ipynb"
    if not released.exists():
        released = PRACTICALS / practical / f"{practical}.ipynb"
    return Outline(
        practical,
        source.title,
        tuple(map(_part, source.parts)),
        {cell.id: cell.source for cell in read_cells(released).cells},
        tuple(cell for part in source.parts for cell in part.answers),
        frozenset(form for line in source.secrets() for form in _forms(line)),
    )


def read_cells(path: Path) -> NotebookNode:
    """Read a notebook without validating it, which takes longer than all else."""
    notebook: NotebookNode = nbformat.v4.reads(path.read_text(encoding="utf-8"))
    return notebook


def _part(part: Part) -> PartOutline:
    tests = {test.id(): test.title() for test in part.tests}
    lecture = Lecture(part.see[0], _title_of_lecture(part.see[0]), part.see[1]) if part.see else None
    return PartOutline(part.name, part.title, (*part.cells, *tests), tests, part.words, lecture)


@cache
def _title_of_lecture(number: str) -> str:
    path = next(LECTURES.glob(f"{number}-*.ipynb"), None)
    first: str = read_cells(path).cells[0].source.partition("\n")[0] if path else ""
    return first.partition(" · ")[2]


def _forms(line: str) -> Iterator[str]:
    yield from (line, json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1])
    yield from (repr(line)[1:-1], escape(line), escape(line, quote=False))
