"""Forms that an honest notebook comes back in: functions that change a solved one, and some for what lies beside it."""

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path

import nbformat
from course_copies import released
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

Content = NotebookNode | str | bytes
NO_PICTURE = base64.b64encode(b"\x89PNG" + bytes(2_000_000)).decode()
LARGE_OUTPUT = 10_000_000


def _answers(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and "nbgrader" in cell.metadata]


def _words(notebook: NotebookNode) -> NotebookNode:
    cell: NotebookNode
    (cell,) = [cell for cell in notebook.cells if cell.id == "words-why"]
    return cell


def _beside_the_stubs(notebook: NotebookNode, below: int) -> NotebookNode:
    stubs = {cell.id: cell.source for cell in released().cells}
    for cell in list(filter(_is_solved(stubs), notebook.cells)):
        own = new_code_cell(f"# mine\n{cell.source}")
        cell.source = stubs[cell.id]
        notebook.cells.insert(notebook.cells.index(cell) + below, own)
    return notebook


def _is_solved(stubs: dict[str, str]) -> Callable[[NotebookNode], bool]:
    return lambda cell: cell.cell_type == "code" and cell.source != stubs[cell.id]


def above_the_stubs(notebook: NotebookNode) -> Content:
    return _beside_the_stubs(notebook, 0)


def below_the_stubs(notebook: NotebookNode) -> Content:
    return _beside_the_stubs(notebook, 1)


def all_at_the_top(notebook: NotebookNode) -> Content:
    made = released()
    answers = "\n\n".join(cell.source for cell in _answers(notebook))
    made.cells.insert(0, new_code_cell(f"import torch\nfrom torch import nn\n{answers}"))
    _words(made).source = _words(notebook).source
    return made


def instead_of_the_stubs(notebook: NotebookNode) -> Content:
    answers = _answers(notebook)
    notebook.cells = [cell for cell in notebook.cells if cell not in answers]
    notebook.cells.insert(3, new_code_cell("\n\n".join(cell.source for cell in answers)))
    return notebook


def written_anew(notebook: NotebookNode) -> Content:
    for cell in _answers(notebook):
        cell.metadata = NotebookNode()
        cell.id = f"new-{cell.id}"
    return notebook


def answers_at_the_end(notebook: NotebookNode) -> Content:
    answers = _answers(notebook)
    notebook.cells = [*(cell for cell in notebook.cells if cell not in answers), *answers]
    return notebook


def answers_alone(notebook: NotebookNode) -> Content:
    notebook.cells = [cell for cell in notebook.cells if cell.id == "imports" or "nbgrader" in cell.metadata]
    notebook.cells = [cell for cell in notebook.cells if not cell.id.startswith("test-")]
    return notebook


def twice(notebook: NotebookNode) -> Content:
    for cell in _answers(notebook):
        wrong = copy.deepcopy(cell)
        wrong.id, wrong.source = f"{cell.id}-before", cell.source.replace("return", "return None and")
        notebook.cells.insert(notebook.cells.index(cell), wrong)
    return notebook


def _words_beside(notebook: NotebookNode, below: int) -> NotebookNode:
    cell = _words(notebook)
    own = new_markdown_cell(cell.source)
    cell.source = next(each.source for each in released().cells if each.id == cell.id)
    notebook.cells.insert(notebook.cells.index(cell) + below, own)
    return notebook


def words_below(notebook: NotebookNode) -> Content:
    return _words_beside(notebook, 1)


def words_above(notebook: NotebookNode) -> Content:
    return _words_beside(notebook, 0)


def picture_by_colab(notebook: NotebookNode) -> Content:
    _words(
        notebook
    ).source += f"\n\n![image.png](data:image/png;base64,{NO_PICTURE})\n\n<img src='data:image/gif;base64,"
    _words(notebook).source += f"{NO_PICTURE}' width=300>"
    return notebook


def picture_by_jupyterlab(notebook: NotebookNode) -> Content:
    cell = _words(notebook)
    cell.source += "\n\n![image.png](attachment:image.png)"
    cell.attachments = {"image.png": {"image/png": NO_PICTURE}}
    return notebook


def saved_by_colab(notebook: NotebookNode) -> Content:
    raw = json.loads(nbformat.writes(notebook))
    raw["nbformat_minor"] = 0
    raw["metadata"] = {"colab": {"provenance": [], "toc_visible": True}, "accelerator": "GPU"}
    for cell in raw["cells"]:
        cell["metadata"] |= {"id": cell.pop("id"), "colab": {"base_uri": "https://localhost:8080/"}}
    return json.dumps(raw)


def marks_lost(notebook: NotebookNode) -> Content:
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
    return notebook


def marks_and_ids_lost(notebook: NotebookNode) -> Content:
    marks_lost(notebook)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"{number:08x}"
    return notebook


def format_3(notebook: NotebookNode) -> Content:
    return json.dumps(nbformat.convert(notebook, 3))


def byte_order_mark(notebook: NotebookNode) -> Content:
    return b"\xef\xbb\xbf" + str(nbformat.writes(notebook)).encode()


def utf_16(notebook: NotebookNode) -> Content:
    return str(nbformat.writes(notebook)).encode("utf-16")


def line_ends_of_windows(notebook: NotebookNode) -> Content:
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", "\r\n")
    return str(nbformat.writes(notebook)).replace("\n", "\r\n").encode()


def large_outputs(notebook: NotebookNode) -> Content:
    shown = nbformat.v4.new_output("stream", text="0123456789\n" * (LARGE_OUTPUT // 11))
    notebook.cells.append(new_code_cell("print('long')", outputs=[shown]))
    return notebook


def empty_lines(notebook: NotebookNode) -> Content:
    notebook.cells.insert(3, new_code_cell("\n" * 49_000))
    _answers(notebook)[0].source += "\n" * 40_000
    return notebook


def many_cells(notebook: NotebookNode) -> Content:
    notebook.cells[3:3] = [new_code_cell(f"x{number} = torch.ones({number})\nx{number}.sum()") for number in range(200)]
    return notebook


def answer_as_markdown(notebook: NotebookNode) -> Content:
    made = json.loads(nbformat.writes(notebook))
    for cell in made["cells"]:
        if cell["id"] == "double":
            cell["cell_type"] = "markdown"
    return json.dumps(made)


def another_name(path: Path) -> None:
    path.rename(path.with_name("Copie de tiny (1) – zoé.ipynb"))


def module_beside(path: Path) -> None:
    (path.parent / "mine.py").write_text("import torch\n\n\ndef double(x):\n    return 2 * x\n", encoding="utf-8")


def files_beside(path: Path) -> None:
    folder = path.parent
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "tiny-checkpoint.ipynb").write_bytes(path.read_bytes())
    (folder / "mine").mkdir()
    (folder / "mine" / "__init__.py").touch()
    (folder / "data.pt").write_bytes(bytes(1_000_000))
    (folder / "tiny.py").write_text("def double(x): return x\n", encoding="utf-8")
    (folder / "large.py").write_text("#" * 200_000, encoding="utf-8")
