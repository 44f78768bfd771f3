"""The linter of the lectures: each convention of the course that a machine can check, with file and cell."""

import ast
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4.rwbase import rejoin_lines
from nbformat.validator import iter_validate

from ee559_course.lectures.ledger import NOTEBOOKS, LedgerError, load_ledger

KERNEL = {"name": "ee559", "display_name": "EE-559 (Python)", "language": "python"}
FIRST_CELL = ("**Objectives**", "**Minutes**", "**Before you start**", "**Slides**", "After François Fleuret")
MAX_CELL = 25
FEWEST_QUESTIONS = 3
FEWEST_EXERCISES = 2
PICTURES = ("show_figure", "show_2d_tensors_as_images", "show_picture_files")
Finding = tuple[str, str]
"""The cell and what is wrong with it."""


@dataclass(frozen=True)
class Problem:
    """One rule that one cell breaks."""

    file: str
    cell: str
    message: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.file}, {self.cell}: {self.message}"


def lint_lectures(folder: Path) -> list[Problem]:
    """Check all lectures of a folder, and that ledger and lectures agree in both directions."""
    try:
        rows = load_ledger(folder / "ledger.toml")
    except (LedgerError, OSError) as error:
        return [Problem("ledger.toml", "ledger", str(error))]
    ids = {row.id for row in rows}
    problems: list[Problem] = []
    for name in NOTEBOOKS:
        path = folder / f"{name}.ipynb"
        if not path.exists():
            problems.append(Problem(path.name, "notebook", "the lecture is missing: write it."))
            continue
        problems += lint_notebook(path, ids)
        covered = covered_rows(path)
        problems += [
            Problem(path.name, "notebook", f"row {row.id} has no cell: name it in the metadata.ledger of one.")
            for row in rows
            if row.notebook == name and row.id not in covered
        ]
    for path in sorted(folder.glob("*.ipynb")):
        if path.stem not in NOTEBOOKS:
            problems.append(Problem(path.name, "notebook", f"expected one of {', '.join(NOTEBOOKS)}: rename it."))
    return problems


def covered_rows(path: Path) -> set[str]:
    """List the ledger ids that the cells of a notebook name; none if it cannot be read."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return {row for cell in cells for row in cell["metadata"].get("ledger", [])}
    except (ValueError, KeyError, TypeError, AttributeError):
        return set()


def lint_notebook(path: Path, ledger_ids: Collection[str]) -> list[Problem]:
    """Check one notebook; an empty list says that it keeps every rule."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        error = _schema_error(content)
    except ValueError as not_json:
        error = str(not_json)
    if error:
        return [Problem(path.name, "notebook", f"not a valid notebook: {error.strip().splitlines()[0]}")]
    notebook = rejoin_lines(nbformat.from_dict(content))
    if not notebook.cells:
        return [Problem(path.name, "notebook", "it has no cells.")]
    rules = (_format(notebook), _ids(notebook), _frame(path, notebook), _headings(notebook), _code(notebook))
    findings = [finding for rule in rules for finding in rule]
    findings += [*_ledger(notebook, ledger_ids), *_questions(notebook), *_pictures(notebook), *_exercises(notebook)]
    return [Problem(path.name, cell, message) for cell, message in findings]


def _schema_error(content: object) -> str:
    """Compare with nbformat's schema; unlike nbformat.validate, this repairs nothing on the way."""
    if not isinstance(content, dict) or not isinstance(content.get("nbformat_minor"), int):
        return "expected an object with nbformat and nbformat_minor."
    errors = [str(error) or type(error).__name__ for error in iter_validate(content)]
    return errors[0] if errors else ""


def _format(notebook: NotebookNode) -> Iterator[Finding]:
    if (notebook.nbformat, notebook.nbformat_minor) != (4, 5):
        yield "notebook", f"expected nbformat 4.5, got {notebook.nbformat}.{notebook.nbformat_minor}."
    if (kernel := dict(notebook.metadata.get("kernelspec", {}))) != KERNEL:
        yield "notebook", f"expected the kernelspec {KERNEL}, got {kernel}."
    if notebook.metadata.get("language_info", {}).get("name") != "python":
        yield "notebook", "expected language_info with the name python."


def _ids(notebook: NotebookNode) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, cell in enumerate(notebook.cells, start=1):
        name = cell.get("id", f"cell {number}")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or not 3 <= len(name) <= 64:
            yield name, "expected an id of 3 to 64 small letters, digits and single hyphens: give it a readable one."
        elif re.fullmatch(r"[0-9a-f]{8}", name) and re.search(r"\d", name):
            yield name, "the id was made by a machine: give it a readable one."
        if name in seen:
            yield name, "two cells have this id: rename one."
        seen.add(name)


def _frame(path: Path, notebook: NotebookNode) -> Iterator[Finding]:
    first, last = notebook.cells[0], notebook.cells[-1]
    number = path.stem.split("-")[0]
    if first.cell_type != "markdown" or not first.source.startswith(f"# {number} · "):
        yield first.id, f"expected the first cell to be Markdown and begin '# {number} · Title'."
    for label in FIRST_CELL:
        if label not in first.source:
            yield first.id, f"expected '{label}' in the first cell."
    if not re.search(r"\*\*Minutes\*\*\W*\d", first.source):
        yield first.id, "expected a number after **Minutes**."
    if last.cell_type != "markdown" or last.id != "remember" or not last.source.startswith("## What to remember"):
        yield last.id, "expected the last cell to have the id 'remember' and begin '## What to remember'."


def _headings(notebook: NotebookNode) -> Iterator[Finding]:
    before, titles = 0, 0
    for cell in _markdown(notebook):
        for marks in re.findall(r"^(#{1,6}) ", _prose(cell), re.MULTILINE):
            level = len(marks)
            titles += level == 1
            if level == 1 and titles > 1:
                yield cell.id, "a second heading of level 1: use ##."
            if level > before + 1:
                yield cell.id, f"a heading of level {level} follows one of level {before}: do not skip levels."
            before = level


def _code(notebook: NotebookNode) -> Iterator[Finding]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        if cell.outputs or cell.execution_count is not None:
            yield cell.id, "it has outputs or an execution count: clear them before you commit."
        if (lines := len(cell.source.splitlines())) > MAX_CELL:
            yield cell.id, f"{lines} lines: expected at most {MAX_CELL}: split it, or move code to the package."
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            yield cell.id, f"not plain Python: {error.msg} (line {error.lineno})."
    if code and "manual_seed(" not in code[0].source:
        yield code[0].id, "expected torch.manual_seed(…) in the first code cell."


def _ledger(notebook: NotebookNode, ledger_ids: Collection[str]) -> Iterator[Finding]:
    for cell in notebook.cells:
        rows = cell.metadata.get("ledger", [])
        if not isinstance(rows, list):
            yield cell.id, f"expected metadata.ledger to be a list of ids, got {rows!r}."
            continue
        for row in rows:
            if row not in ledger_ids:
                yield cell.id, f"metadata.ledger names {row!r}, which is no row of the ledger."


def _questions(notebook: NotebookNode) -> Iterator[Finding]:
    questions = [cell for cell in _markdown(notebook) if cell.id.startswith("question-")]
    if len(questions) < FEWEST_QUESTIONS:
        yield "notebook", f"expected at least {FEWEST_QUESTIONS} cells question-…, got {len(questions)}."
    for cell in questions:
        folded = re.findall(r"<details>\n<summary>[^<\n]+</summary>\n\n.+?\n\n</details>", cell.source, re.DOTALL)
        if len(folded) < 2:
            yield cell.id, f"expected a folded answer for each of at least 2 options, got {len(folded)}."


def _pictures(notebook: NotebookNode) -> Iterator[Finding]:
    for cell in _markdown(notebook):
        if re.search(r"!\[\s*\]\(", cell.source):
            yield cell.id, "a picture without alt text: say between the brackets what there is to see."
        for tag in re.findall(r"<img\b[^>]*>", cell.source):
            if not re.search(r"""\balt=(["'])\s*\S.*?\1""", tag):
                yield cell.id, f"a picture without alt text: {tag}"
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for call in _calls(cell.source):
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            if name in PICTURES and not _has_alt(call):
                yield cell.id, f'{name} without alt text: pass alt="what there is to see".'


def _calls(source: str) -> Iterator[ast.Call]:
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _has_alt(call: ast.Call) -> bool:
    values = [keyword.value for keyword in call.keywords if keyword.arg == "alt"]
    return bool(values) and not (isinstance(values[0], ast.Constant) and not str(values[0].value or "").strip())


def _exercises(notebook: NotebookNode) -> Iterator[Finding]:
    cells = {cell.id: cell for cell in notebook.cells}
    slugs = [match[1] for name in cells if (match := re.fullmatch(r"exercise-(.+)-task", name))]
    if len(slugs) < FEWEST_EXERCISES:
        yield "notebook", f"expected at least {FEWEST_EXERCISES} cells exercise-…-task, got {len(slugs)}."
    for slug in slugs:
        parts = {f"exercise-{slug}": "code", f"check-{slug}": "code", f"solution-{slug}": "markdown"}
        for name, kind in parts.items():
            if name not in cells or cells[name].cell_type != kind:
                yield f"exercise-{slug}-task", f"expected a {kind} cell '{name}' for this exercise."
        if check := cells.get(f"check-{slug}"):
            yield from _check_cell(check, notebook)
        solution = cells.get(f"solution-{slug}")
        if solution and ("<details>" not in solution.source or solution.source.count("```python\n") != 1):
            yield solution.id, "expected a folded solution with one ```python block."
    for name in cells:
        match = re.fullmatch(r"(exercise|check|solution)-(.+)", name)
        if match and not name.endswith("-task") and match[2] not in slugs:
            yield name, f"expected the task of this exercise in a cell 'exercise-{match[2]}-task'."


def _check_cell(cell: NotebookNode, notebook: NotebookNode) -> Iterator[Finding]:
    """A check knows the answer, so its code is folded; and it sends the student to a section that is there."""
    if "hide-input" not in cell.metadata.get("tags", []) or not cell.metadata.get("jupyter", {}).get("source_hidden"):
        yield cell.id, "expected its code to be folded: tag hide-input, and jupyter.source_hidden true."
    headings = {
        heading.replace("`", "")
        for each in _markdown(notebook)
        for heading in re.findall(r"^#{2,6} (.*)$", _prose(each), re.MULTILINE)
    }
    for call in _calls(cell.source):
        for keyword in call.keywords:
            if keyword.arg == "see" and isinstance(keyword.value, ast.Constant) and keyword.value.value not in headings:
                yield cell.id, f"see={keyword.value.value!r} is no heading of this notebook."


def _markdown(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def _prose(cell: NotebookNode) -> str:
    """A cell's text without its blocks of code."""
    return re.sub(r"^```.*?^```", "", cell.source, flags=re.DOTALL | re.MULTILINE)
