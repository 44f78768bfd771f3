"""What the source of a practical must keep to; each problem names the file and the place in it."""

import builtins
import dis
import inspect
import re
from collections.abc import Callable, Iterator
from types import CodeType

from ee559.practicals.asking import question_names
from nbformat import NotebookNode

from ee559_course.practicals.hidden import HiddenTest
from ee559_course.practicals.practical import POINTS, REGION, STUB, TESTS, Part, Practical, is_answer

LABELS = ("**Objectives**", "**Minutes**", "**Before you start**")
UNDERSTANDING = (0.25, 0.33)  # of the points, by hand and by machine
BY_HAND = (0.35, 0.65)  # of those


def practical_problems(practical: Practical) -> list[str]:
    """List what is wrong with a practical, each with file and cell or test."""
    notebook = [f"{practical.name}.ipynb, {cell}: {what}" for cell, what in (*_cells(practical), *_points(practical))]
    return [*notebook, *(f"{TESTS}, {test.__name__}: {what}" for test in practical.tests for what in _test(practical, test))]


def understanding_problems(practical: Practical) -> list[str]:
    """List what is wrong with the share of the points that understanding carries, by hand and by machine."""
    total = sum(_total(practical, part) for part in practical.parts)
    by_hand = total - sum(float(test.points) for test in practical.tests)
    points = by_hand + sum(float(test.points) for test in practical.tests if test.understanding)
    found = []
    for what, part, whole, (least, most) in (
        ("understanding", points, total, UNDERSTANDING),
        ("understanding in words", by_hand, points, BY_HAND),
    ):
        if not least * whole <= part <= most * whole:
            found.append(
                f"{practical.name}: expected {least:.0%} to {most:.0%} of {whole:g} points for {what}, got {part:g}."
            )
    return found


def _cells(practical: Practical) -> Iterator[tuple[str, str]]:
    for cell in practical.notebook.cells:
        if cell.get("outputs") or cell.get("execution_count"):
            yield cell.id, "it has outputs: clear them."
        has_region = bool(REGION.search(cell.source))
        if "nbgrader" not in cell.metadata:
            if has_region:
                yield cell.id, "a solution in a cell that nbgrader does not know: it would be released."
            continue
        yield from ((cell.id, problem) for problem in _answer_cell(cell, has_region))


def _answer_cell(cell: NotebookNode, has_region: bool) -> Iterator[str]:
    marks = cell.metadata.nbgrader
    if not is_answer(cell):
        yield f"expected answers only in the notebook: tests stand in {TESTS}."
    if marks.grade_id != cell.id:
        yield f"its grade_id is {marks.grade_id!r}: make it the cell's id, so that both are stable."
    if not has_region:
        yield "expected a region ### BEGIN SOLUTION, with its end."
    if cell.cell_type == "code" and not STUB.search(REGION.sub("", cell.source)):
        yield 'expected raise NotImplementedError("what to return, with shapes") after the solution.'


def _points(practical: Practical) -> Iterator[tuple[str, str]]:
    title = practical.notebook.cells[0]
    totals = {part.id: _total(practical, part) for part in practical.parts}
    stated = re.search(r"\*\*Points\*\* (\d+)", title.source)
    if stated is None or int(stated[1]) != sum(totals.values()):
        wanted = f"{sum(totals.values()):g}"
        yield title.id, f"expected **Points** {wanted}, the sum over the graded cells, got {stated and stated[0]}."
    for label in LABELS:
        if label not in title.source:
            yield title.id, f"expected {label} in the first cell."
    stated = re.search(r"\*\*Minutes\*\* (\d+)", title.source)
    minutes = sum(part.minutes for part in practical.parts)
    if stated is None or int(stated[1]) != minutes:
        yield title.id, f"expected **Minutes** {minutes}, the sum over the parts, got {stated and stated[0]}."
    for part in practical.parts:
        heading = next(cell for cell in practical.notebook.cells if cell.id == part.cells[0])
        if not POINTS.search(heading.source.partition("\n")[0]) or part.points != totals[part.id]:
            yield heading.id, f"expected {totals[part.id]:g} points in its heading, got {part.points}."
        if part.tests and part.see is None:
            yield heading.id, f"expected the lecture and heading that explain it in SEE of {TESTS}."


def _total(practical: Practical, part: Part) -> float:
    by_hand = (cell for cell in practical.notebook.cells if cell.id in part.words)
    return sum(float(test.points) for test in part.tests) + sum(
        float(cell.metadata.nbgrader.points) for cell in by_hand
    )


def _test(practical: Practical, test: type[HiddenTest]) -> Iterator[str]:
    if not test.title():
        yield "expected a docstring: its first line is the test's title."
    for name in ("part", "asks", "points", "answer", "expected"):
        if not hasattr(test, name):
            yield f"expected {name}."
            return
    asked = list(inspect.signature(test.answer).parameters)[1:]
    for way, wanted in ((test.facts, ["came", *asked]), (test.expected, asked)):
        if way is not None and list(inspect.signature(way).parameters)[: len(wanted)] != wanted:
            yield f"expected {way.__name__}({', '.join(wanted)}): the case as answer gets it."
    for way in (test.answer, test.facts):
        if way is None:
            continue
        if way.__defaults__ or way.__kwdefaults__ or way.__code__.co_freevars:
            yield f"{way.__name__} is sent as source: give it no default values, and let it use nothing around it."
        strange = set(_global_names(way)) - set(question_names()) - set(dir(builtins))
        if strange:
            yield f"{way.__name__} uses {', '.join(sorted(strange))}, which it does not have: import that inside."
    first = next(iter(test.fixed()), None)
    if first is None:
        yield "expected a fixed case at least: the students' check runs just these."
    elif list(first) != asked:
        yield f"expected cases of {', '.join(asked)}, as answer takes them, got {', '.join(first)}."
    if not any(test.asks in cell.source for cell in practical.notebook.cells if is_answer(cell)):
        yield f"no cell that takes an answer has {test.asks}."


def _global_names(function: Callable[..., object]) -> Iterator[str]:
    yield from _loaded(function.__code__)


def _loaded(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if "GLOBAL" in instruction.opname:
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _loaded(constant)
