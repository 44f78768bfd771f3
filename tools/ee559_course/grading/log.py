"""One log for each submission: what was repaired, how each cell ended, and what each test found."""

import os
from pathlib import Path
from urllib.parse import quote

from ee559_course.grading.record import Record
from ee559_course.grading.run.task import RunResult


def write_log(folder: Path, record: Record, run: RunResult | None) -> Path:
    """Write the log of a submission, whole or not at all.

    Args:
        folder: the practical's grading folder.
        record: what became of it.
        run: what a worker brought back, if its code was run.
    """
    lines = [f"{record.student} · {record.practical} · {record.submission or 'no file'}"]
    if not record.graded:
        lines += [f"quarantined: {record.reason}", f"remedy: {record.remedy}"]
    lines += [f"repaired: {note}" for note in record.notes]
    lines += [f"to look at: {flag}" for flag in record.flags]
    if run is not None:
        lines += [f"{step.cell}: {step.status}" for step in run.steps]
        lines += [
            f"ended: {run.ended or 'whole'}",
            f"{run.seconds:.2f} s, {run.cpu_seconds:.2f} s of processor time, {run.peak_memory / 2**20:.0f} MiB",
        ]
    for test in record.tests:
        lines.append(f"{test.cell}: {test.points:g} of {test.max_points:g}{': ' * bool(test.message)}{test.message}")
    path = folder / "logs" / f"{quote(record.student, safe=' ')}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="replace")
    os.replace(unfinished, path)
    return path
