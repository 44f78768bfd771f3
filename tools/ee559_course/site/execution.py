"""Run the site's notebooks side by side; jupyter-cache keeps their outputs until their code or the package changes.

MyST-NB can use jupyter-cache by itself, but runs cells with nbclient's default: it drops, without an error, what a busy
kernel has not shown after four seconds.
"""

import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import read_myst_markdown_notebook
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from ee559_course.paths import ROOT, SITE_SOURCES
from ee559_course.site.fingerprint import environment_hash, sources_hash, text_hash

PACKAGE = ROOT / "utils" / "ee559"
SECONDS_A_CELL = 120


class ExecutionError(Exception):
    """A cell failed; the message names the notebook, the cell and the error."""


def execute_notebooks(folder: Path, cache: Path, workers: int | None = None) -> list[str]:
    """Give every notebook below ``folder`` its outputs, in place; from the cache where nothing has changed.

    A page in MyST Markdown with code cells becomes a notebook and runs in ``site``; the others run in an empty
    folder. One kernel runs on each core, with one thread. A notebook whose metadata say
    ``mystnb.execution_mode: off`` is left as it is, and so are those to download.

    Args:
        folder: the gathered sources of the site.
        cache: keeps the outputs that came from this package and these versions; those from others go.
        workers: how many run side by side; one a core if not said.

    Returns:
        The names of the notebooks that were run.

    Raises:
        ExecutionError: a cell failed; the notebooks before it stay in the cache.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the kernels inherit it
    current = cache / text_hash([environment_hash(), sources_hash(PACKAGE)])
    for other in cache.glob("*"):
        if other != current:
            shutil.rmtree(other)
    kept = get_cache(current)
    markdown = _markdown_pages_as_notebooks(folder)
    stale: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        off = notebook.metadata.get("mystnb", {}).get("execution_mode") == "off"
        if off or path.is_relative_to(folder / "notebooks"):
            continue
        try:
            nbformat.write(kept.merge_match_into_notebook(notebook)[1], path)
        except KeyError:  # this code has not run yet
            stale[(path.with_suffix(".md") if path in markdown else path).relative_to(folder).as_posix()] = path
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            for name, notebook in zip(stale, pool.map(_run, stale, stale.values()), strict=True):
                kept.cache_notebook_bundle(CacheBundleIn(notebook, name), check_validity=False, overwrite=True)
                nbformat.write(notebook, stale[name])
        finally:
            pool.shutdown(cancel_futures=True)
    return list(stale)


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


def _run(name: str, path: Path) -> NotebookNode:
    """Run a notebook in a fresh kernel; return it with its outputs."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    print(f"running {name} …", flush=True)
    with tempfile.TemporaryDirectory() as empty:
        client = NotebookClient(
            notebook,
            timeout=SECONDS_A_CELL,
            startup_timeout=SECONDS_A_CELL,
            iopub_timeout=SECONDS_A_CELL,
            raise_on_iopub_timeout=True,
            store_widget_state=False,
            record_timing=False,
            resources={"metadata": {"path": str(SITE_SOURCES) if name.endswith(".md") else empty}},
        )
        with client.setup_kernel():
            for number, cell in enumerate(notebook.cells):
                try:
                    client.execute_cell(cell, number)
                except CellExecutionError as error:
                    raise ExecutionError(f"{name}, cell {cell.id}: {error.ename}: {error.evalue}") from error
                except (CellControlSignal, DeadKernelError) as error:
                    raise ExecutionError(f"{name}, cell {cell.id}: {type(error).__name__}: {error}") from error
    return notebook
