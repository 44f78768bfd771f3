"""What a practical's source says about its grades: parts, tests, words that stay secret, lectures that explain."""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import nbformat
from ee559.practicals.practical import Practical
from nbformat import NotebookNode

from ee559_course.grading.course_folder import CourseFolder
from ee559_course.paths import LECTURES, PRACTICALS
from ee559_course.practicals.answer_bank import source_notebook
from ee559_course.practicals.release import REGION, SHORTEST_SECRET

PART = re.compile(r"^## (Part \d+) · (.*?)(?: \(.*\))?$", re.MULTILINE)
CHECK = re.compile(r"\.check\((\w+)\)")


@dataclass(frozen=True)
class Lecture:
    """The place of a lecture that explains a function of a practical: number, title and heading."""

    number: str
    title: str
    heading: str


@dataclass(frozen=True)
class PartOutline:
    """One part of a practical.

    Attributes:
        name: such as ``Part 2``.
        title: what its heading says after that.
        cells: ids of its cells, in order.
        tests: for each graded cell of code, what it looks at.
        by_hand: ids of the cells that a person grades.
        explained: for each function that its checks try, the lecture that explains it.
    """

    name: str
    title: str
    cells: tuple[str, ...]
    tests: Mapping[str, str]
    by_hand: tuple[str, ...]
    explained: Mapping[str, Lecture]

    def lectures(self, message: str) -> list[Lecture]:
        """Return what explains a test's message: the lecture of the function that it names, else those of the part."""
        named = [lecture for function, lecture in self.explained.items() if message.startswith(f"{function}:")]
        return list(dict.fromkeys(named or self.explained.values()))


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
        checks: what the students' checks try.
    """

    practical: str
    title: str
    parts: tuple[PartOutline, ...]
    released: Mapping[str, str]
    answers: tuple[str, ...]
    secrets: frozenset[str]
    checks: Practical

    def part_of(self, cell: str) -> PartOutline | None:
        """Return the part that a cell belongs to."""
        return next((part for part in self.parts if cell in part.cells), None)


def read_outline(course: CourseFolder, practical: str) -> Outline:
    """Read the outline from the course folder, or from the repository where the folder has no copy.

    Raises:
        ReleaseError: there is no such practical.
    """
    source = source_notebook(practical)
    copy = course.root / str(course.config.CourseDirectory.source_directory) / practical / f"{practical}.ipynb"
    if copy.exists():
        source = read_cells(copy)
    checks: Practical = getattr(importlib.import_module(f"ee559.practicals.{practical}"), practical)
    released = course.root / str(course.config.CourseDirectory.release_directory) / practical / f"{practical}.ipynb"
    if not released.exists():
        released = PRACTICALS / practical / f"{practical}.ipynb"
    return Outline(
        practical,
        source.cells[0].source.splitlines()[0].removeprefix("# "),
        tuple(_parts(source, checks)),
        {cell.id: cell.source for cell in read_cells(released).cells},
        tuple(cell.id for cell in source.cells if cell.cell_type == "code" and _mark(cell, "solution")),
        frozenset(_secrets(source)),
        checks,
    )


def read_cells(path: Path) -> NotebookNode:
    """Read a notebook without validating it, which takes longer than all else."""
    notebook: NotebookNode = nbformat.v4.reads(path.read_text(encoding="utf-8"))
    return notebook


def _parts(source: NotebookNode, checks: Practical) -> Iterator[PartOutline]:
    starts = [index for index, cell in enumerate(source.cells) if cell.source.startswith("## ")]
    for start, end in zip(starts, [*starts[1:], len(source.cells)], strict=True):
        if (found := PART.search(source.cells[start].source)) is None:
            continue
        cells = source.cells[start:end]
        graded = [cell for cell in cells if _mark(cell, "grade")]
        functions = [name for cell in cells if cell.cell_type == "code" for name in CHECK.findall(cell.source)]
        yield PartOutline(
            found[1],
            found[2],
            tuple(cell.id for cell in cells),
            {cell.id: _about(cell) for cell in graded if cell.cell_type == "code"},
            tuple(cell.id for cell in graded if cell.cell_type != "code"),
            {name: _lecture(*checks.parts[name].see) for name in functions if name in checks.parts},
        )


def _mark(cell: NotebookNode, kind: str) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get(kind))


def _about(cell: NotebookNode) -> str:
    """Take what a test looks at from its first line, such as ``# Part 1, 2 points: padding``."""
    first: str = cell.source.partition("\n")[0]
    return first.partition(": ")[2] or cell.id


def _lecture(number: str, heading: str) -> Lecture:
    path = next(LECTURES.glob(f"{number}-*.ipynb"), None)
    first = read_cells(path).cells[0].source.partition("\n")[0] if path else ""
    return Lecture(number, first.partition(" · ")[2], heading)


def _secrets(source: NotebookNode) -> Iterator[str]:
    for cell in source.cells:
        for region in REGION.finditer(cell.source):
            for line in map(str.strip, region[0].splitlines()[1:-1]):
                if len(line) > SHORTEST_SECRET:
                    yield from (line, json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1])
                    yield from (repr(line)[1:-1], escape(line), escape(line, quote=False))
