"""What a practical is: its folder in ``solutions``, parsed once."""

import ast
import functools
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode

from ee559_course.paths import SOLUTIONS

if TYPE_CHECKING:  # they import torch, which takes seconds, and names alone need none of it
    from ee559_course.practicals.hidden import Forbidden, HiddenTest

TESTS = "hidden_tests.py"
RELEASED_BESIDE = (".md", ".txt")
MIN_SECRET = 14  # shorter lines, such as `return x`, are everybody's
HEADING = re.compile(r"^## (Part (\d+)) · (.*?) \((\d+) minutes, (\w+)(?:[,;] ([^)]*))?\)$", re.MULTILINE)
POINTS = re.compile(r"(\d+(?:\.\d+)?) points?")
STUB = re.compile(r'^ *raise NotImplementedError\("[^"]{10,}"\)$', re.MULTILINE)
REGION = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n.*?### END \1", re.DOTALL)


class ReleaseError(Exception):
    """A practical cannot be read or released; the message names the file and the place in it."""


@dataclass(frozen=True)
class Part:
    """One part of a practical.

    Attributes:
        id: of its heading cell, without ``part-``.
        name: such as ``Part 2``.
        title: what the heading says after that.
        minutes: that it takes.
        difficulty: ``easy``, ``medium`` or ``hard``.
        points: that its heading states; None if it states none.
        cells: ids of its cells, in order; hidden tests are none of them.
        answers: ids of the cells that take answers in code.
        words: ids of the cells that take answers in words.
        tests: in order.
        see: number of the lecture and heading in it that explain the part, if they are named.
    """

    id: str
    name: str
    title: str
    minutes: int
    difficulty: str
    points: float | None
    cells: tuple[str, ...]
    answers: tuple[str, ...]
    words: tuple[str, ...]
    tests: "tuple[type[HiddenTest], ...]"
    see: tuple[str, str] | None

    @property
    def graded(self) -> tuple[str, ...]:
        """Ids of the cells that give points: of its hidden tests, and of answers in words."""
        return (*(test.id() for test in self.tests), *self.words)

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of what the student writes in this part and tests look at."""
        return tuple(dict.fromkeys(test.asks for test in self.tests))


@dataclass(frozen=True)
class Practical:
    """A practical.

    Attributes:
        name: of its folder, such as ``sizes``.
        folder: where it lies.
        title: its first heading.
        version: changes when its notebook or its tests do.
        notebook: the short notebook, with solutions and without hidden tests.
        parts: in order.
        forbidden: what no answer may use.
        files: texts that are released beside the notebook, by name.
    """

    name: str
    folder: Path
    title: str
    version: str
    notebook: NotebookNode
    parts: tuple[Part, ...]
    forbidden: "Forbidden"
    files: Mapping[str, str]

    @property
    def tests(self) -> "tuple[type[HiddenTest], ...]":
        """All hidden tests, in the order of the parts."""
        return tuple(test for part in self.parts for test in part.tests)

    @property
    def answers(self) -> tuple[str, ...]:
        """Ids of the cells that take answers in code, in order."""
        return tuple(cell for part in self.parts for cell in part.answers)

    @property
    def code(self) -> str:
        """The text of its ``hidden_tests.py``."""
        return (self.folder / TESTS).read_text(encoding="utf-8")

    def part_of(self, cell: str) -> Part | None:
        """Return the part that a cell or a hidden test belongs to."""
        found = (part for part in self.parts if cell in part.cells or cell in {test.id() for test in part.tests})
        return next(found, None)

    def rubrics(self) -> dict[str, str]:
        """Return what each answer in words is graded by: the sample answers and the points, by cell."""
        return {
            cell.id: "\n".join(found[0].splitlines()[1:-1])
            for cell in self.notebook.cells
            if cell.cell_type == "markdown" and (found := REGION.search(cell.source))
        }

    def secrets(self) -> frozenset[str]:
        """Collect the lines that no student may read: of solutions, rubrics and hidden tests, less what all have."""
        solutions = (region[0].splitlines()[1:-1] for cell in self.notebook.cells for region in _regions(cell))
        lines = {line.strip() for region in solutions for line in region}
        lines |= {line.strip() for line in self.code.splitlines()}
        return frozenset(line for line in lines - self._open_lines() if len(line) > MIN_SECRET)

    def _open_lines(self) -> set[str]:
        """Return the lines of the tests that the students' package has too: how answers are tried, and imports."""
        from ee559_course.practicals.hidden import source_of

        tried = "\n".join(source_of(way) for test in self.tests for way in (test.answer, test.facts) if way)
        given = "\n".join(REGION.sub("", cell.source) for cell in self.notebook.cells)
        imports = "\n".join(line for line in self.code.splitlines() if line.startswith(("import ", "from ")))
        titles = "\n".join(f'"""{test.title()}."""' for test in self.tests)
        return {line.strip() for text in (tried, given, imports, titles) for line in text.splitlines()}


def practical_names(solutions: Path = SOLUTIONS) -> list[str]:
    """Return the names of the practicals, the folders with a notebook of their name, in the order of their numbers."""
    found = [path for path in solutions.glob("*/*.ipynb") if path.stem == path.parent.name]
    return [path.stem for path in sorted(found, key=lambda path: (_title(path), path.stem))]


def read_practical(name: str, solutions: Path = SOLUTIONS) -> Practical:
    """Read a practical; the same text is read once.

    Raises:
        ReleaseError: there is no such practical, or it is broken.
    """
    folder = solutions / name
    path = folder / f"{name}.ipynb"
    if not path.exists():
        known = ", ".join(practical_names(solutions)) or "none"
        raise ReleaseError(f"no such practical: {name}: in {solutions} there is {known}.")
    if not (folder / TESTS).exists():
        raise ReleaseError(f"{name}: expected hidden tests in {folder / TESTS}.")
    digest = hashlib.sha256(path.read_bytes() + (folder / TESTS).read_bytes())
    for each in _beside(folder):
        digest.update(each.read_bytes())
    return _read(name, folder, digest.hexdigest())


@functools.lru_cache(maxsize=64)
def _read(name: str, folder: Path, digest: str) -> Practical:
    from ee559_course.practicals.hidden import Forbidden

    path = folder / f"{name}.ipynb"
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds, and all mean the same here
        raise ReleaseError(f"{path.name}: not a notebook: {str(error).splitlines()[0]}") from error
    module = load_tests(folder / TESTS, digest)
    see = getattr(module, "SEE", {})
    tests = tests_in(module)
    parts = tuple(_parts(notebook, tests, see))
    if strange := sorted({test.part for test in tests} - {part.id for part in parts}):
        raise ReleaseError(
            f"{name}/{TESTS}: no part is called {strange[0]}: the notebook has no heading part-{strange[0]}."
        )
    return Practical(
        name,
        folder,
        notebook.cells[0].source.splitlines()[0].removeprefix("# "),
        digest[:12],
        notebook,
        parts,
        getattr(module, "FORBIDDEN", Forbidden()),
        {each.name: each.read_text(encoding="utf-8") for each in _beside(folder)},
    )


def load_tests(path: Path, digest: str) -> ModuleType:
    """Import a practical's ``hidden_tests.py`` under a name of its own, which `inspect` can find the source by.

    Raises:
        ReleaseError: it fails.
    """
    name = f"ee559_hidden_{path.parent.name}_{digest[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever an author's mistake raises
        del sys.modules[name]
        raise ReleaseError(f"{path.parent.name}/{TESTS}: {type(error).__name__}: {error}") from error
    return module


def tests_in(module: ModuleType) -> "list[type[HiddenTest]]":
    """Return the hidden tests that a module defines, in their order."""
    from ee559_course.practicals.hidden import HiddenTest

    found = (each for each in vars(module).values() if isinstance(each, type) and issubclass(each, HiddenTest))
    return [each for each in found if each is not HiddenTest and each.__name__[0] != "_"]


def _parts(notebook: NotebookNode, tests: "list[type[HiddenTest]]", see: Mapping[str, Any]) -> Iterator[Part]:
    starts = [number for number, cell in enumerate(notebook.cells) if cell.source.startswith("## ")]
    for start, end in zip(starts, [*starts[1:], len(notebook.cells)], strict=True):
        cells = notebook.cells[start:end]
        if (found := HEADING.search(cells[0].source)) is None:
            continue
        name, _, title, minutes, difficulty, worth = found.groups()
        stated = POINTS.search(worth or "")
        part = cells[0].id.removeprefix("part-")
        yield Part(
            part,
            name,
            title,
            int(minutes),
            difficulty,
            float(stated[1]) if stated else None,
            tuple(cell.id for cell in cells),
            tuple(cell.id for cell in cells if cell.cell_type == "code" and is_answer(cell)),
            tuple(cell.id for cell in cells if cell.cell_type == "markdown" and is_answer(cell)),
            tuple(test for test in tests if test.part == part),
            tuple(see[part]) if part in see else None,
        )


def is_answer(cell: NotebookNode) -> bool:
    """Say whether a cell of a source takes an answer, in code or in words."""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def code_of_test(practical: Practical, test: "type[HiddenTest]") -> str:
    """Return what a test's cell needs of ``hidden_tests.py``: all but the other tests."""
    tree = ast.parse(practical.code)
    others = {each.__name__ for each in practical.tests} - {test.__name__}
    kept = [node for node in tree.body if not (isinstance(node, ast.ClassDef) and node.name in others)]
    lines = practical.code.splitlines()
    pieces = []
    for node in kept[1:] if ast.get_docstring(tree) else kept:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        pieces.append("\n".join(lines[first - 1 : node.end_lineno]))
    return "\n".join(pieces)


def _title(path: Path) -> str:
    first: str = nbformat.v4.reads(path.read_text(encoding="utf-8")).cells[0].source
    return first.partition("\n")[0]


def _regions(cell: NotebookNode) -> Iterator[re.Match[str]]:
    return REGION.finditer(cell.source)


def _beside(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.suffix in RELEASED_BESIDE)
