"""The site's pages of the practicals: what students get, and a solution only where the instructor asks for it."""

import re
import shutil
from collections.abc import Collection
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ee559_course.lectures.ledger import exercise_anchor
from ee559_course.paths import PRACTICALS
from ee559_course.practicals.practical import STUB, practical_names, read_practical
from ee559_course.practicals.rubric import points_and_rubrics

SOLUTION_MARK = re.compile(r"^ *### (BEGIN|END) SOLUTION\n", re.MULTILINE)
PART = re.compile(r"^## (Part \d+ · .*?) \(.*\)$", re.MULTILINE)


def read_title(notebook: Path) -> str:
    """Return the first heading of a notebook."""
    first: str = nbformat.read(notebook, as_version=4).cells[0].source
    return first.splitlines()[0].removeprefix("# ")


def practical_parts() -> dict[str, str]:
    """Return the title of each part of the practicals by its name in the ledger, such as ``sizes/part-relu``."""
    return {
        f"{name}/{cell.id}": f"{read_title(_released(name)).split(' · ')[0]}, {found[1]}"
        for name in practical_names()
        for cell in nbformat.read(_released(name), as_version=4).cells
        if (found := PART.search(cell.source))
    }


def write_practicals(folder: Path, solutions: Collection[str]) -> None:
    """Write a page for each practical, and one more for each solution that is asked for.

    Args:
        folder: the site's sources; the files to download go into its ``notebooks``.
        solutions: the practicals whose solutions are shown, with their rubrics and without hidden tests.
    """
    (folder / "practicals").mkdir(exist_ok=True)
    for name in practical_names():
        shutil.copytree(_released(name).parent, folder / "notebooks" / name)
        nbformat.write(_student_page(name, name in solutions), folder / "practicals" / f"{name}.ipynb")
    for name in solutions:
        (folder / "solutions").mkdir(exist_ok=True)
        (folder / "solutions" / f"{name}.md").write_text(_solution_page(name), encoding="utf-8")


def _released(name: str) -> Path:
    return PRACTICALS / name / f"{name}.ipynb"


def _student_page(name: str, with_solution: bool) -> NotebookNode:
    """Make a page of the students' version: nothing runs, each part has an anchor, the files can be downloaded."""
    notebook: NotebookNode = nbformat.read(_released(name), as_version=4)
    notebook.metadata["mystnb"] = {"execution_mode": "off"}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../../lectures/", "](../lectures/")
        if PART.search(cell.source):
            cell.source = f"({exercise_anchor(f'{name}/{cell.id}')})=\n{cell.source}"
    first = notebook.cells[0]
    minutes, points = re.findall(r"\*\*(?:Minutes|Points)\*\* (\d+)", first.source)
    files = sorted(_released(name).parent.iterdir())
    downloads = [f"{{download}}`Download {path.name} <../notebooks/{name}/{path.name}>`" for path in files]
    line = " · ".join([f"{minutes} minutes", f"{points} points", *downloads])
    first.source = re.sub(r"^\*\*Minutes\*\*.*\n\n", "", first.source, flags=re.MULTILINE)
    first.source = first.source.replace("\n\n", f"\n\n{line}\n\n", 1)
    if with_solution:
        text = f"## A solution\n\n```{{toctree}}\n:maxdepth: 1\n\n../solutions/{name}\n```"
        notebook.cells.append(nbformat.v4.new_markdown_cell(text, id="a-solution"))
    return notebook


def _solution_page(name: str) -> str:
    """Write one solution of each part as Markdown, then the points and the rubrics; no hidden test is in it."""
    practical = read_practical(name)
    cells = {cell.id: cell.source for cell in practical.notebook.cells}
    lines = [f"# {practical.title}: a solution", "", f"To [the practical](../practicals/{name}.ipynb).", ""]
    for part in practical.parts:
        lines += [f"## {part.name} · {part.title}", ""]
        for answer in part.answers:
            code = SOLUTION_MARK.sub("", STUB.sub("", cells[answer])).strip()
            lines += ["```python", re.sub(r"\n +return\n\n+", "\n\n", code), "```", ""]  # it kept the stub out
        if part.words:
            lines += ["Graded by hand: see below.", ""]
    return "\n".join([*lines, "## Points", "", points_and_rubrics(practical)])
