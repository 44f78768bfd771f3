"""Run a practical's cells in this process: fast, and only for answers of our own, because nothing is confined."""

import contextlib
import io
import signal
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from nbformat import NotebookNode

SECONDS_A_CELL = 30  # of CPU time
MOST_BUSY = 20  # times as long on a clock, on a machine that does other things as well


@dataclass(frozen=True)
class DryRun:
    """The tests that lost points, and what each check printed, under the ids of their cells."""

    lost: frozenset[str]
    printed: Mapping[str, str]


class TookTooLong(BaseException):
    """A cell did not end; no cell can catch this by mistake."""


def dry_run(notebook: NotebookNode, filled: Mapping[str, str], checks: bool = True, first: str = "") -> DryRun:
    """Run imports, solutions, checks and tests of a practical's source.

    Args:
        notebook: the source, with solutions and hidden tests.
        filled: code to put into solution cells in place of the solution.
        checks: whether to run the students' checks and the progress too.
        first: id of a solution cell: stop at the first test after it that loses points.
    """
    namespace: dict[str, object] = {"__name__": "__main__"}
    lost: set[str] = set()
    printed: dict[str, str] = {}
    torch.manual_seed(0)
    torch.set_num_threads(1)  # as when it is graded, see nbgrader_config.py
    reached = False
    for cell in notebook.cells:
        reached = reached or cell.id == first
        if cell.cell_type != "code" or not _runs(cell, checks):
            continue
        with io.StringIO() as output, contextlib.redirect_stdout(output):
            try:
                with _time_limit(SECONDS_A_CELL), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    exec(compile(filled.get(cell.id, cell.source), cell.id, "exec"), namespace)
            except (Exception, TookTooLong) as error:
                if not cell.id.startswith("test-"):
                    output.write(f"{type(error).__name__}: {error}")
                elif reached and first:
                    return DryRun(frozenset({cell.id}), printed)
                else:
                    lost.add(cell.id)
            printed[cell.id] = output.getvalue()
    return DryRun(frozenset(lost), printed)


def _runs(cell: NotebookNode, checks: bool) -> bool:
    """Leave out the cells that only measure or draw."""
    is_check = cell.id.startswith("check-") or cell.id == "progress"
    return cell.id == "imports" or "nbgrader" in cell.metadata or (checks and is_check)


@contextlib.contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """Stop what takes more CPU time, or waits for ever, where the system has such alarms (Windows has none)."""
    if not hasattr(signal, "SIGPROF"):
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise TookTooLong(f"it did not end in {seconds} s of CPU time")

    before = [(each, signal.signal(each, stop)) for each in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(MOST_BUSY * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for each, handler in before:
            signal.signal(each, handler)
