"""The linter finds each broken rule, on a small notebook broken on purpose, and names file and cell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ee559_course.lectures.ledger import NOTEBOOKS
from ee559_course.lectures.lint import KERNEL, lint_lectures, lint_notebook

Cells = dict[str, dict[str, Any]]
FIRST = """# 01 · A title

**Objectives**

- You can say it.

**Minutes** 5

**Before you start** nothing

**Slides** A1

After François Fleuret, EE-559, lecture 4b"""
FOLDED_CODE = {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}
FOLDED = "<details>\n<summary>A — one</summary>\n\nRight.\n\n</details>\n"
SOLUTION = "<details>\n<summary>Solution</summary>\n\n```python\nx = 1\n```\n\n</details>"
FILE = f"{NOTEBOOKS[0]}.ipynb"


def markdown(source: str, **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": metadata, "source": source}


def code(source: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}


def valid_cells() -> Cells:
    cells = {
        "title": markdown(FIRST),
        "imports": code("import torch\ntorch.manual_seed(0)"),
        "section": markdown("## A section\n\n![a cat](cat.png)", ledger=["A1"]),
        "figure": code('show_figure(figure, alt="a cat")'),
    }
    cells |= {f"question-{name}": markdown(f"Which?\n\n{FOLDED}\n{FOLDED}") for name in ("one", "two", "three")}
    for slug in ("sum", "mean"):
        cells[f"exercise-{slug}-task"] = markdown("### Exercise")
        cells[f"exercise-{slug}"] = code("x = ...")
        cells[f"check-{slug}"] = code("check_answer('x', x, 1, see='A section')") | {"metadata": FOLDED_CODE}
        cells[f"solution-{slug}"] = markdown(SOLUTION)
    return cells | {"remember": markdown("## What to remember\n\nIt.")}


def write(path: Path, cells: Cells, changes: dict[str, Any] | None = None) -> Path:
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python"}},
        "cells": [{"id": name, **cell} for name, cell in cells.items()],
    }
    path.write_text(json.dumps(notebook | (changes or {})), encoding="utf-8")
    return path


def test_a_valid_notebook_has_no_problem(tmp_path: Path) -> None:
    assert lint_notebook(write(tmp_path / FILE, valid_cells()), {"A1"}) == []


def test_sources_kept_as_lists_of_lines_are_read_as_one_text(tmp_path: Path) -> None:
    cells = {name: cell | {"source": cell["source"].splitlines(True)} for name, cell in valid_cells().items()}
    assert lint_notebook(write(tmp_path / FILE, cells), {"A1"}) == []


def rename(old: str, new: str) -> Callable[[Cells], Cells]:
    return lambda cells: {new if name == old else name: cell for name, cell in cells.items()}


def source(name: str, text: str) -> Callable[[Cells], Cells]:
    return lambda cells: cells | {name: cells[name] | {"source": text}}


def without(name: str) -> Callable[[Cells], Cells]:
    return lambda cells: {key: cell for key, cell in cells.items() if key != name}


def field(name: str, key: str, value: Any) -> Callable[[Cells], Cells]:
    return lambda cells: cells | {name: cells[name] | {key: value}}


OUTPUT = [{"output_type": "stream", "name": "stdout", "text": "1"}]
BROKEN = [
    (rename("figure", "Figure_1"), "Figure_1", "small letters"),
    (rename("figure", "ab"), "ab", "3 to 64"),
    (rename("figure", "a1b2c3d4"), "a1b2c3d4", "made by a machine"),
    (source("title", FIRST.replace("# 01", "# 02")), "title", "begin '# 01 · Title'"),
    (source("title", FIRST.replace("**Objectives**", "Objectives")), "title", "**Objectives**"),
    (source("title", FIRST.replace("**Minutes** 5", "**Minutes** few")), "title", "number after **Minutes**"),
    (source("title", FIRST.replace("**Before you start**", "Before")), "title", "**Before you start**"),
    (source("title", FIRST.replace("**Slides**", "Slides")), "title", "**Slides**"),
    (source("title", FIRST.replace("François", "Francois")), "title", "After François Fleuret"),
    (rename("remember", "the-end"), "the-end", "id 'remember'"),
    (source("remember", "That is all."), "remember", "What to remember"),
    (source("section", "# Another"), "section", "second heading of level 1"),
    (source("section", "### Too deep"), "section", "level 3 follows one of level 1"),
    (field("figure", "outputs", OUTPUT), "figure", "clear them"),
    (field("figure", "execution_count", 3), "figure", "clear them"),
    (source("figure", "x = 1\n" * 26), "figure", "26 lines"),
    (source("figure", "%matplotlib inline"), "figure", "not plain Python"),
    (source("imports", "import torch"), "imports", "manual_seed"),
    (field("section", "metadata", {"ledger": ["A1", "Z9"]}), "section", "'Z9'"),
    (field("section", "metadata", {"ledger": "A1"}), "section", "a list of ids"),
    (without("question-two"), "notebook", "at least 3 cells question-"),
    (source("question-two", f"Which?\n\n{FOLDED}"), "question-two", "at least 2 options, got 1"),
    (source("section", "## A section\n\n![](cat.png)"), "section", "without alt text"),
    (source("section", '## A section\n\n<img src="cat.png">'), "section", "without alt text"),
    (source("section", '## A section\n\n<img src="cat.png" alt="">'), "section", "without alt text"),
    (source("figure", "show_figure(figure)"), "figure", "show_figure without alt text"),
    (source("figure", 'ee559.show_2d_tensors_as_images(t, alt=" ")'), "figure", "without alt text"),
    (without("exercise-sum"), "exercise-sum-task", "code cell 'exercise-sum'"),
    (without("check-sum"), "exercise-sum-task", "code cell 'check-sum'"),
    (without("solution-sum"), "exercise-sum-task", "markdown cell 'solution-sum'"),
    (without("exercise-sum-task"), "check-sum", "'exercise-sum-task'"),
    (source("solution-sum", "x = 1"), "solution-sum", "folded solution"),
    (field("check-sum", "metadata", {"tags": ["hide-input"]}), "check-sum", "source_hidden"),
    (source("check-sum", "check_answer('x', x, 1, see='Elsewhere')"), "check-sum", "'Elsewhere' is no heading"),
]


@pytest.mark.parametrize(("breaks", "cell", "message"), BROKEN, ids=[f"{c}: {m}" for _, c, m in BROKEN])
def test_each_broken_rule_is_found(tmp_path: Path, breaks: Callable[[Cells], Cells], cell: str, message: str) -> None:
    problems = lint_notebook(write(tmp_path / FILE, breaks(valid_cells())), {"A1"})
    found = [problem for problem in problems if problem.cell == cell and message in problem.message]
    assert found, [str(problem) for problem in problems]
    assert str(found[0]).startswith(f"{FILE}, {cell}: ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metadata": {"language_info": {"name": "python"}}}, "kernelspec"),
        ({"metadata": {"kernelspec": KERNEL}}, "language_info"),
        ({"nbformat_minor": "five"}, "not a valid notebook"),
        ({"cells": [{"id": "x-y", "cell_type": "poem", "metadata": {}, "source": ""}]}, "not a valid notebook"),
        ({"cells": []}, "no cells"),
    ],
)
def test_broken_notebook_as_a_whole(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    problems = lint_notebook(write(tmp_path / FILE, valid_cells(), changes), {"A1"})
    assert any(message in problem.message for problem in problems), problems
    assert {problem.file for problem in problems} == {FILE}


def test_what_is_not_json_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("<<<<<<< HEAD", encoding="utf-8")
    (problem,) = lint_notebook(tmp_path / FILE, {"A1"})
    assert "not a valid notebook" in problem.message


def test_two_cells_of_one_id_are_found(tmp_path: Path) -> None:
    path = write(tmp_path / FILE, valid_cells())
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][3]["id"] = "section"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert any(problem.cell == "section" for problem in lint_notebook(path, {"A1"}))


def course(folder: Path, row: str = "A1") -> Path:
    (folder / "ledger.toml").write_text(
        f'[[row]]\nid = "{row}"\nslide = "s"\ntoday = "same"\nnotebook = "{NOTEBOOKS[0]}"\nobjective = "o"\n',
        encoding="utf-8",
    )
    for name in NOTEBOOKS:
        cells = valid_cells()
        cells["title"]["source"] = FIRST.replace("# 01", f"# {name[:2]}")
        cells["section"]["metadata"] = {"ledger": ["A1"]} if name == NOTEBOOKS[0] else {}
        write(folder / f"{name}.ipynb", cells)
    return folder


def test_a_whole_course_has_no_problem(tmp_path: Path) -> None:
    assert lint_lectures(course(tmp_path)) == []


def test_row_without_a_cell_and_id_without_a_row_are_both_found(tmp_path: Path) -> None:
    said = [str(problem) for problem in lint_lectures(course(tmp_path, row="A2"))]
    assert any("row A2 has no cell" in line for line in said)
    assert any("'A1', which is no row" in line for line in said)


def test_missing_and_misnamed_lectures_and_a_broken_ledger_are_found(tmp_path: Path) -> None:
    (course(tmp_path) / FILE).rename(tmp_path / "11-more.ipynb")
    said = [str(problem) for problem in lint_lectures(tmp_path)]
    assert any(line.startswith(f"{FILE}, notebook: the lecture is missing") for line in said)
    assert any(line.startswith("11-more.ipynb, notebook: expected one of") for line in said)
    (tmp_path / "ledger.toml").write_text("", encoding="utf-8")
    assert "no rows" in str(lint_lectures(tmp_path)[0])
