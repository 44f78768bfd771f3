"""The ten lectures keep the conventions and run in a real kernel, alone, twice with the same results."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from ee559_course.lectures.lint import lint_lectures
from nbclient import NotebookClient
from nbformat import NotebookNode

LECTURES = Path(__file__).resolve().parents[1] / "lectures"
NOTEBOOKS = sorted(LECTURES.glob("[0-9][0-9]-*.ipynb"))
TITLES = [
    "01-torch-nn-and-relu",
    "02-padding-stride-kernel",
    "03-max-pooling",
    "04-linear-and-convolutional-layers",
    "05-filters-on-mnist",
    "06-losses",
    "07-one-hot-targets",
    "08-the-network",
    "09-registering-parameters",
    "10-batch-processing",
]
OVERWRITTEN = re.compile(r"^[^\n]*\r", re.MULTILINE)  # a progress bar is drawn as often as there is time
TIMED = re.compile(r"[\d.,]+ ?(ns|µs|us|ms|s)\b|ratio [\d.]+|0x[0-9a-f]+")


def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Run all cells in a fresh kernel of the course, in an empty folder."""
    client = NotebookClient(
        notebook,
        timeout=120,
        startup_timeout=120,
        iopub_timeout=120,  # after 4 s, its default, it goes on without what a busy kernel has still to show
        kernel_name="ee559",
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute(env={**os.environ, "OMP_NUM_THREADS": "1"})


def printed(notebook: NotebookNode) -> dict[str, list[str]]:
    """Collect what the cells printed or drew; times, which differ from run to run, and pictures of them aside."""
    seen = {}
    for cell in notebook.cells:
        if cell.cell_type != "code" or re.search(r"timing\(|batch_vs_loop\(|perf_counter", cell.source):
            continue
        texts = ["", ""]  # what one cell prints may come in several pieces, cut anywhere, those of stderr in between
        for output in cell.outputs:
            data = output.get("data", {})
            text = output.get("text", "") + data.get("text/html", data.get("text/plain", ""))
            texts[output.get("name") == "stderr"] += text
        seen[cell.id] = [TIMED.sub("…", OVERWRITTEN.sub("", text)) for text in texts]
    return seen


def test_the_ten_lectures_are_there_in_the_order_of_the_slides() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == TITLES


def test_every_lecture_keeps_the_conventions() -> None:
    assert [str(problem) for problem in lint_lectures(LECTURES)] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lecture_runs_twice_with_the_same_results_and_says_what_is_not_answered(path: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: execute(nbformat.read(path, as_version=4), tmp_path), range(2))
    assert printed(first) == printed(second)
    assert list(tmp_path.iterdir()) == [], "a lecture leaves no file behind"
    for cell in first.cells:
        if cell.id.startswith("check-"):
            said = "".join(output.get("text", "") for output in cell.outputs)
            assert re.search("✗.*not answered", said), f"{path.name}, {cell.id}: {said}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_folded_solutions_pass_the_checks_of_their_exercises(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    solutions = {name: cell for name, cell in cells.items() if name.startswith("solution-")}
    assert len(solutions) >= 2
    for name, solution in solutions.items():
        (code,) = re.findall(r"```python\n(.*?)```", solution.source, re.DOTALL)
        cells[name.replace("solution-", "exercise-", 1)].source = code
    execute(notebook, tmp_path)
    for name in solutions:
        check = cells[name.replace("solution-", "check-", 1)]
        said = "".join(output.get("text", "") for output in check.outputs)
        assert set("✓✗") & set(said) == {"✓"}, f"{path.name}, {check.id}: {said}"
