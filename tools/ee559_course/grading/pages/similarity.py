"""Submissions whose code is alike beyond what few right answers make it.

Winnowing (Schleimer, Wilkerson and Aiken, 2003) over the syntax tree, written here because no kept tool fits:

- compare50 1.2.15 asks for attrs below 21, and JupyterLab for 22 or newer: they cannot be installed together. It also
  promises to see 35 tokens or more, and a quarter of our answers are shorter.
- copydetect 0.5.0 runs, but had its last release in 2024 and says nothing of Python 3.13; it compares text, so that
  brackets, type hints and trailing commas hide a copy; and it counts what everybody writes like what only two write.
  Of 200 submissions made from our banks of answers, pairs that had nothing to do with each other reached 0.97 of 1.

Fragments here are short runs of the syntax tree. Comments, layout, docstrings, type hints and names of the student's
own are not in it. What stands in the released practical does not count, and a fragment counts the less the more
students wrote it.

In trials with such submissions, five of them copies with other names and comments, the copies stood among the first
six pairs of 100 submissions and among the first thirteen of 300. On one core 200 submissions take half a second, and
2,000 take 3 to 6 s. Most of it is reading and parsing, which grow with their number; comparing grows with its square.
"""

import ast
import builtins
import math
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np

from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.plan.released import Released, read_cells, read_released

RUN, WINDOW = 6, 4  # nodes in a fragment, and fragments of which one is kept
LONGEST = 50_000  # characters of a cell
SHARE_TO_NAME = 0.15  # of what is alike, from which on a cell is named
NO_CODE = {"annotation", "returns", "type_comment", "type_params", "ctx"}
BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Pair:
    """Two submissions that are alike.

    Attributes:
        first: id of a student.
        second: id of another.
        alike: of the fragments of both, the share that is in both, from 0 to 1, where common ones count less.
        unusual: how much both share that others do not, counted in fragments that nobody else has.
        where: ids of the answer cells that most of it is in; ``other cells`` stands for the students' own.
    """

    first: str
    second: str
    alike: float
    unusual: float
    where: tuple[str, ...]


Fragment = tuple[str, int]


def similar_pairs(course: CourseFolder, practical: str, most: int = 20, least: float = 0.5) -> list[Pair]:
    """List the pairs of graded submissions that are most alike; a reason to look, and never a finding.

    Args:
        course: the course folder.
        practical: such as ``sizes``.
        most: how many pairs at most.
        least: the smallest share that is listed.

    Returns:
        The pairs, those first whose likeness is large and rests on what few others wrote.

    Raises:
        ReleaseError: there is no such practical.
    """
    released = read_released(course, practical)
    given = {run for source in released.cells.values() for run in _runs(source)}
    students, prints = [], []
    for path in sorted(course.root.glob(f"autograded/*/{practical}/{practical}.ipynb")):
        try:
            sources = _own_code(read_cells(path).cells, released)
        except (OSError, ValueError, AttributeError, KeyError, TypeError):  # what is no notebook has no code
            continue
        students.append(path.parent.parent.name)
        prints.append({(cell, each) for cell, source in sources for each in _fingerprints(source) - given})
    return _pairs(students, prints, most, least)


def _own_code(cells: Iterable[Mapping[str, object]], released: Released) -> list[tuple[str, str]]:
    """Take the answers, and the cells that are not in the practical as it was released."""
    own = []
    for cell in cells:
        name, source = str(cell.get("id", "")), str(cell["source"])[:LONGEST]
        if cell["cell_type"] == "code" and source != released.cells.get(name):
            if name in released.practical.answers:
                own.append((name, source))
            elif name not in released.cells and not source.startswith("# Part "):
                own.append(("other cells", source))
    return own


def _pairs(students: list[str], prints: list[set[Fragment]], most: int, least: float) -> list[Pair]:
    if len(students) < 2:
        return []
    holders: dict[Fragment, list[int]] = defaultdict(list)
    for index, found in enumerate(prints):
        for fragment in found:
            holders[fragment].append(index)
    unique = math.log(len(students) + 1)
    weight = {fragment: math.log((len(students) + 1) / len(who)) / unique for fragment, who in holders.items()}
    shared = np.zeros((len(students), len(students)), dtype=np.float32)
    for fragment, who in holders.items():
        if len(who) > 1:
            shared[np.ix_(who, who)] += weight[fragment]
    total = np.array([sum(weight[fragment] for fragment in found) for found in prints], dtype=np.float32)
    alike = shared / np.maximum(total[:, None] + total[None, :] - shared, 1e-6)
    rank = np.triu(np.where(alike >= least, alike**4 * shared, 0.0), 1)
    best = np.argsort(rank, axis=None, kind="stable")[::-1][:most]
    pairs = []
    for one, other in zip(*np.unravel_index(best, rank.shape), strict=True):
        if rank[one, other] > 0:
            cells: dict[str, float] = defaultdict(float)
            for cell, fragment in prints[one] & prints[other]:
                cells[cell] += weight[cell, fragment]
            most_first = sorted(cells, key=lambda cell: -cells[cell])
            where = tuple(cell for cell in most_first if cells[cell] > SHARE_TO_NAME * shared[one, other])
            likeness = round(min(1.0, float(alike[one, other])), 3)
            pairs.append(Pair(students[one], students[other], likeness, round(float(shared[one, other]), 1), where))
    return pairs


def _fingerprints(source: str) -> set[int]:
    """Winnow: of each window of runs keep the one with the smallest hash."""
    runs = _runs(source)
    return {min(runs[start : start + WINDOW]) for start in range(max(1, len(runs) - WINDOW + 1))} if runs else set()


@lru_cache(maxsize=20_000)
def _runs(source: str) -> tuple[int, ...]:
    nodes = _nodes(source)
    ends = range(min(RUN, len(nodes)), len(nodes) + 1) if nodes else ()
    return tuple(crc32(" ".join(nodes[max(0, end - RUN) : end]).encode()) for end in ends)


def _nodes(source: str) -> list[str]:
    """Write the syntax tree as a list of words, without what a copy can change and still be one."""
    waiting: list[ast.AST] = [_parse(source)]
    nodes = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        nodes.append(_word(node))
        children = []
        for name, value in ast.iter_fields(node):
            if name not in NO_CODE:
                children += value if isinstance(value, list) else [value]
        waiting += [child for child in reversed(children) if isinstance(child, ast.AST)]
    return nodes


def _word(node: ast.AST) -> str:
    kind = type(node).__name__
    match node:
        case ast.Attribute(value=ast.Name(id="self")):
            return kind
        case ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
            return f"{kind}.{name}"
        case ast.Name(id=name) if name in BUILTINS:
            return f"{kind}.{name}"
        case ast.Constant(value=int() | float() | None as value):
            return f"{kind}.{value}"
    return kind


def _parse(source: str) -> ast.Module:
    """Parse what can be parsed: lines that are no Python are left out, IPython's commands among them."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!", "?"))]
    for _ in range(20):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse("\n".join(lines))
        except SyntaxError as error:
            number = error.lineno or 1
            del lines[min(number, len(lines)) - 1 : number]
        except (ValueError, RecursionError, MemoryError):
            break
    return ast.Module(body=[], type_ignores=[])
