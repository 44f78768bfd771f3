"""The notebook as it is when it is graded, for the formgrader and the student: what cells showed, what tests found."""

from collections.abc import Iterator, Mapping

import nbformat
from nbformat import NotebookNode

from ee559_course.grading.marking.sanitize import sanitize
from ee559_course.grading.marking.test_mark import TestMark
from ee559_course.grading.run.task import Output, RunResult, StepResult

TOO_LONG = "The cell ran longer than a cell may, and was interrupted."


def graded_notebook(
    submitted: NotebookNode, shown: RunResult, asked: RunResult, marks: Mapping[str, TestMark]
) -> NotebookNode:
    """Put outputs into a submission's notebook.

    Args:
        submitted: as `ee559_course.grading.submissions.load` laid it out; it is changed.
        shown: the run whose outputs are kept.
        asked: the run in which tests asked.
        marks: of each test, by id.
    """
    results = {step.cell: step for step in shown.steps}
    again = {step.cell: step for step in asked.steps}
    for count, cell in enumerate((cell for cell in submitted.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
        outputs: list[Output] = []
        if cell.id in marks:
            mark = marks[cell.id]
            outputs = [_error("AssertionError", mark.message)] if mark.message else []  # nbgrader reads points from it
        elif cell.id in results:
            outputs = [*results[cell.id].outputs, *_told(results[cell.id], again[cell.id])]
        cell.outputs = [nbformat.from_dict(output) for output in outputs]
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return sanitize(submitted)


def _told(shown: StepResult, again: StepResult) -> Iterator[Output]:
    """Say what a reader of the outputs would not know: how the cell ended, and that it ended otherwise when graded."""
    if shown.status == "interrupted":
        yield _error("Timeout", TOO_LONG)
    elif shown.status == "unfinished":
        yield _error("Ended", "The notebook's process ended here. When tests asked, the cell was left out.")
    elif shown.status == "ok" and again.status == "interrupted":
        yield _error("Timeout", f"{TOO_LONG} So it was when it was run again for the tests, not here.")
    elif shown.status == "ok" and again.status == "error" and again.error is not None:
        why = ": ".join(part for part in again.error if part)
        yield _error(
            "WhenGraded",
            f"the cell works here, but not where tests ask, for what the practical forbids is missing there, and other "
            f"programs are as well: {why}. It costs nothing, unless a test needs what the cell defines after that.",
        )
    elif shown.status == "ok" and again.status == "skipped":
        yield _error("WhenGraded", "the cell ended the notebook's process when it was run again for the tests.")


def _error(name: str, message: str) -> Output:
    return {"output_type": "error", "ename": name, "evalue": message, "traceback": [f"{name}: {message}"]}
