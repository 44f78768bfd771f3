"""Run the site's notebooks side by side, and only those whose code, package or versions have changed."""

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from myst_nb.core.read import read_myst_markdown_notebook
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from ee559_course.paths import ROOT, SITE_SOURCES
from ee559_course.site.fingerprint import file_hash, text_hash

DATA = ROOT / "utils" / "ee559" / "data"
SECONDS_A_CELL = 120
WATCH = """import sys
sys.ee559_opened = set()
sys.addaudithook(lambda event, arguments: event == "open" and sys.ee559_opened.add(str(arguments[0])))"""
REPORT = """import sys
print(*(getattr(module, "__file__", None) for module in list(sys.modules.values())), *sys.ee559_opened, sep="\\n")"""


class ExecutionError(Exception):
    """A cell failed; the message names the notebook, the cell and the error."""


def execute_notebooks(folder: Path, cache: Path, workers: int | None = None) -> list[str]:
    """Give every notebook below ``folder`` its outputs, in place; from the cache where nothing has changed.

    A page in MyST Markdown with code cells becomes a notebook and runs in ``site``; the others run in an empty
    folder. One kernel runs on each core, with one thread. A notebook whose metadata say
    ``mystnb.execution_mode: off`` is left as it is, and so are those to download.

    Args:
        folder: the gathered sources of the site.
        cache: keeps the outputs of each notebook, and the files that they came from.
        workers: how many run side by side; one a core if not said.

    Returns:
        The names of the notebooks that were run.

    Raises:
        ExecutionError: a cell failed; notebooks that have finished stay in the cache.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the kernels inherit it
    cache.mkdir(parents=True, exist_ok=True)
    markdown = _markdown_pages_as_notebooks(folder)
    pages = [path for path in sorted(folder.rglob("*.ipynb")) if not path.is_relative_to(folder / "notebooks")]
    notebooks = {path: nbformat.read(path, as_version=4) for path in pages}
    notebooks = {
        path: nb for path, nb in notebooks.items() if nb.metadata.get("mystnb", {}).get("execution_mode") != "off"
    }
    stale = [path for path, notebook in notebooks.items() if not _from_cache(notebook, cache)]
    names = [(path.with_suffix(".md") if path in markdown else path).relative_to(folder).as_posix() for path in stale]
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        runs = [pool.submit(_run, name, notebooks[path], cache) for name, path in zip(names, stale, strict=True)]
        try:
            for run in runs:
                run.result()
        finally:
            pool.shutdown(cancel_futures=True)
    for path, notebook in notebooks.items():
        nbformat.write(notebook, path)
    return names


def _markdown_pages_as_notebooks(folder: Path) -> set[Path]:
    """Turn each Markdown page that has code cells into a notebook, as MyST-NB would read it; return these."""
    made = set()
    for page in sorted(folder.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if re.match(r"---\n(?:.*\n)*?file_format: *mystnb\n", text):
            notebook = read_myst_markdown_notebook(text, path=page)
            for number, cell in enumerate(notebook.cells, start=1):
                cell.id = f"cell-{number}"
            nbformat.write(notebook, page.with_suffix(".ipynb"))
            page.unlink()
            made.add(page.with_suffix(".ipynb"))
    return made


def _code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _entry(notebook: NotebookNode, cache: Path) -> Path:
    """Return where the outputs of this code, run by this Python with this torch, are kept."""
    code = [json.dumps([cell.source, cell.metadata.get("tags", [])]) for cell in _code_cells(notebook)]
    return cache / f"{text_hash([sys.version, version('torch'), *code])}.json"


def _from_cache(notebook: NotebookNode, cache: Path) -> bool:
    """Fill in the outputs of an earlier run; return False where there is none, or a file that it read has changed."""
    entry = _entry(notebook, cache)
    if not _code_cells(notebook):
        return True
    if not entry.exists():
        return False
    kept = json.loads(entry.read_text(encoding="utf-8"))
    if _hashes(kept["files"]) != kept["files"]:
        return False
    _fill_in(notebook, kept["results"])
    return True


def _hashes(names: Iterable[str]) -> dict[str, str]:
    """Return the hash of each file of the repository, empty where it is gone."""
    return {name: file_hash(ROOT / name) if (ROOT / name).is_file() else "" for name in names}


def _fill_in(notebook: NotebookNode, results: list[dict[str, Any]]) -> None:
    for cell, result in zip(_code_cells(notebook), results, strict=True):
        cell.update(nbformat.from_dict(result))


def _run(name: str, notebook: NotebookNode, cache: Path) -> None:
    """Run a notebook in a fresh kernel and an empty folder, and keep its outputs with the files that it read."""
    started = time.time()
    copy = nbformat.from_dict(notebook)
    code = _code_cells(copy)
    watch, report = (nbformat.v4.new_code_cell(source) for source in (WATCH, REPORT))
    copy.cells = [watch, *code, report]
    print(f"running {name} …", flush=True)
    with tempfile.TemporaryDirectory() as empty:
        place = str(SITE_SOURCES) if name.endswith(".md") else empty
        client = NotebookClient(
            copy,
            timeout=SECONDS_A_CELL,
            startup_timeout=SECONDS_A_CELL,
            iopub_timeout=SECONDS_A_CELL,  # by default it would go on after 4 s, without what a busy kernel has to show
            raise_on_iopub_timeout=True,
            store_widget_state=False,
            record_timing=False,
            resources={"metadata": {"path": place}},
        )
        with client.setup_kernel():
            for number, cell in enumerate(copy.cells):
                try:
                    client.execute_cell(cell, number, store_history=cell not in (watch, report))
                except CellExecutionError as error:
                    raise ExecutionError(f"{name}, cell {cell.id}: {error.ename}: {error.evalue}") from error
                except (CellControlSignal, DeadKernelError) as error:
                    raise ExecutionError(f"{name}, cell {cell.id}: {type(error).__name__}: {error}") from error
    said = "".join(output.get("text", "") for output in report.outputs)
    results = [{"execution_count": cell.execution_count, "outputs": cell.outputs} for cell in code]
    files = _hashes(_own_files(Path(place) / file for file in said.splitlines()))
    edited = {file: "" for file in files if (ROOT / file).stat().st_mtime > started}  # so the next build runs it again
    entry = _entry(notebook, cache)
    fresh = entry.with_suffix(f".{os.getpid()}")
    fresh.write_text(json.dumps({"files": files | edited, "results": results}), encoding="utf-8")
    os.replace(fresh, entry)
    _fill_in(notebook, results)


def _own_files(read: Iterable[Path]) -> list[str]:
    """Pick the files of the repository from all that a kernel has read; not its environment, not what is built.

    The package's data always count: MNIST is unpacked into the reader's own cache, and read from there.
    """
    own = {path.relative_to(ROOT).as_posix() for path in DATA.iterdir() if path.is_file()}
    for path in read:
        if path.is_relative_to(ROOT) and path.is_file():
            inside = path.relative_to(ROOT)
            hidden = any(part.startswith(".") or part in ("build", "__pycache__") for part in inside.parts)
            if not hidden and not path.is_relative_to(sys.prefix):
                own.add(inside.as_posix())
    return sorted(own)
