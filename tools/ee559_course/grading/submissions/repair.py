"""Find the cells of a practical in a submission, whatever became of their marks, and lay out what is to be graded."""

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import nbformat
from nbformat import NotebookNode

from ee559_course.grading.errors import Quarantine
from ee559_course.grading.plan.grading_plan import GradingPlan, PlannedCell

CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # as nbformat has it


def repair(cells: list[NotebookNode], plan: GradingPlan) -> tuple[NotebookNode, list[str]]:
    """Make the notebook to grade from a submission's cells.

    Every cell of the student's stays, in its order. Tests get the text that the gradebook has, and come back where they
    are missing; what nbgrader must know of a cell is taken from the plan, never from the submission.

    Args:
        cells: each with its ``id`` and, in its metadata, the ``grade_id`` that it came with; both may be empty.
        plan: the practical.

    Returns:
        The notebook, and a sentence for each repair.

    Raises:
        Quarantine: nothing of it is of this practical.
    """
    owner, notes = _owners(cells, plan)
    if not any(not plan.cells[name].is_test for name in owner.values()):
        raise Quarantine(
            f"none of its cells is one of {plan.practical}'s.", "See whether it is the notebook of this practical."
        )
    kept, more = _without_copies(cells, owner, plan)
    laid, missing = _with_missing_cells(kept, plan)
    used: set[str] = set()
    for number, cell in enumerate(laid):
        marks = cell.metadata.get("nbgrader")
        cell.id = marks["grade_id"] if marks else _free_id(cell.id, number, used | plan.cells.keys())
        used.add(cell.id)
    made: NotebookNode = nbformat.v4.new_notebook(cells=laid, metadata=plan.notebook.metadata)
    return made, [*notes, *more, *missing]


def _owners(cells: list[NotebookNode], plan: GradingPlan) -> tuple[dict[int, str], list[str]]:
    """Say which cell of the plan each cell is: by its mark, its id, what it defines or what it begins with."""
    owner = {k: cell.metadata.grade_id for k, cell in enumerate(cells) if cell.metadata.grade_id in plan.cells}
    notes = []
    for find in (_same_id, _same_text, _same_definition, _same_place):
        for name, planned in plan.cells.items():
            if name in owner.values():
                continue
            found = [k for k in range(len(cells)) if k not in owner and find(cells, k, planned, plan)]
            if len(found) == 1:
                owner[found[0]] = name
                notes.append(f"{name} had lost its mark: it was found again.")
    return owner | _words_beside(cells, owner, plan), notes


def _words_beside(cells: list[NotebookNode], owner: dict[int, str], plan: GradingPlan) -> dict[int, str]:
    """Find words that a student wrote into a new cell below or above the cell for them, which is as it was released."""
    given = {"", *(cell.source.strip() for cell in plan.notebook.cells)}
    own = {
        k
        for k, cell in enumerate(cells)
        if k not in owner and cell.cell_type == "markdown" and cell.source.strip() not in given
    }
    beside = {}
    for k, name in owner.items():
        planned = plan.cells[name]
        if planned.cell_type == "markdown" and cells[k].source.strip() == planned.source.strip():
            beside.update(dict.fromkeys([near for near in (k + 1, k - 1) if near in own][:1], name))
    return beside


def _same_id(cells: list[NotebookNode], k: int, planned: PlannedCell, plan: GradingPlan) -> bool:
    return bool(cells[k].id == planned.name)


def _same_text(cells: list[NotebookNode], k: int, planned: PlannedCell, plan: GradingPlan) -> bool:
    """Compare the first line of a test, which is its title."""
    first = planned.source.partition("\n")[0]
    return planned.is_test and cells[k].source.partition("\n")[0].strip() == first.strip()


def _same_definition(cells: list[NotebookNode], k: int, planned: PlannedCell, plan: GradingPlan) -> bool:
    wanted = _defined(planned.source) if planned.cell_type == "code" and not planned.is_test else set()
    return bool(wanted) and cells[k].cell_type != "markdown" and wanted <= _defined(cells[k].source)


def _same_place(cells: list[NotebookNode], k: int, planned: PlannedCell, plan: GradingPlan) -> bool:
    """Look for an answer in words right after the text that comes before it in the source, where its own should be."""
    if planned.cell_type != "markdown":
        return False
    source = plan.notebook.cells
    place = next(number for number, cell in enumerate(source) if cell.id == planned.name)
    before = next((cell for cell in reversed(source[:place]) if cell.cell_type == "markdown"), None)
    if before is None or cells[k].cell_type != "markdown" or cells[k].source in {cell.source for cell in source}:
        return False
    above = [each.source.strip() for each in cells[:k] if each.cell_type == "markdown"]
    return above[-1:] == [before.source.strip()]


def _defined(source: str) -> set[str]:
    return {node.name for node in definitions(source)}


def definitions(source: str) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the functions and classes that a cell defines; none if it is not Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def _without_copies(
    cells: list[NotebookNode], owner: dict[int, str], plan: GradingPlan
) -> tuple[list[NotebookNode], list[str]]:
    """Mark the cells; of several that claim to be one, the first test, the last code, and all words together."""
    claims: dict[str, list[int]] = defaultdict(list)
    for k, name in sorted(owner.items()):
        claims[name].append(k)
    notes, dropped = [], set()
    for name, claimed in claims.items():
        planned = plan.cells[name]
        chosen = claimed[0] if planned.is_test else claimed[-1]
        if len(claimed) > 1:
            notes.append(
                f"{len(claimed)} cells were called {name}: {_WHAT_IS_KEPT[planned.is_test, planned.cell_type]}"
            )
        if planned.cell_type == "markdown":
            texts = dict.fromkeys(cells[k].source for k in claimed if cells[k].source.strip() != planned.source.strip())
            cells[chosen].source = "\n\n---\n\n".join(texts) or planned.source
            cells[chosen]["attachments"] = {name: it for k in claimed for name, it in _attached(cells[k]).items()}
            dropped |= set(claimed) - {chosen}
        if planned.is_test:
            dropped |= set(claimed) - {chosen}
        owner.update({k: "" for k in claimed if k != chosen})
    return [_marked(cell, plan.cells.get(owner.get(k, ""))) for k, cell in enumerate(cells) if k not in dropped], notes


def _attached(cell: NotebookNode) -> Mapping[str, Any]:
    return cell.get("attachments") or {}


_WHAT_IS_KEPT = {
    (True, "code"): "one is kept.",
    (False, "code"): "all are run, and the last one counts as the answer.",
    (False, "markdown"): "their texts are put together.",
}


def _marked(cell: NotebookNode, planned: PlannedCell | None) -> NotebookNode:
    """Give a cell the type, the marks and, if it is a test, the text that the plan has for it."""
    if planned is None:
        cell.metadata = NotebookNode()
        return cell
    source = planned.source if planned.is_test else cell.source
    made: NotebookNode = (
        nbformat.v4.new_code_cell(source) if planned.cell_type == "code" else nbformat.v4.new_markdown_cell(source)
    )
    if planned.cell_type == "markdown" and cell.get("attachments"):
        made.attachments = cell.attachments
    made.metadata = NotebookNode(nbformat.from_dict(planned.metadata))
    return made


def _with_missing_cells(cells: list[NotebookNode], plan: GradingPlan) -> tuple[list[NotebookNode], list[str]]:
    """Put tests and answers in words back that are missing, each after what comes before it in the practical.

    A missing answer in code stays missing: what was released in its place would undo a definition elsewhere.
    """
    laid, notes = list(cells), []
    at = {cell.metadata.nbgrader.grade_id for cell in cells if "nbgrader" in cell.metadata}
    before = 0
    for name, planned in plan.cells.items():
        if name in at:
            before = 1 + next(
                k
                for k, cell in enumerate(laid)
                if "nbgrader" in cell.metadata and cell.metadata.nbgrader.grade_id == name
            )
        elif planned.is_test or planned.cell_type == "markdown":
            laid.insert(before, _marked(nbformat.v4.new_raw_cell(planned.source), planned))
            before += 1
            notes.append(f"{name} was missing: it was put back.")
        else:
            notes.append(f"{name}, the cell for an answer, is missing.")
    return laid, notes


def _free_id(wanted: str, number: int, taken: set[str]) -> str:
    """Return the id that a cell came with, if it is free and one that notebooks allow, or another."""
    if CELL_ID.fullmatch(wanted) and wanted not in taken:
        return wanted
    while f"cell-{number}" in taken:
        number += 1000
    return f"cell-{number}"
