"""One log for each submission: what was repaired, how each cell ended, and what each test found."""

from collections.abc import Sequence
from pathlib import Path

from ee559_course.files import write_text
from ee559_course.grading.gradebook.file_names import file_name
from ee559_course.grading.gradebook.record import Record


def write_log(folder: Path, record: Record, statuses: Sequence[Sequence[str]] = ()) -> Path:
    """Write the log of a submission, whole or not at all.

    Args:
        folder: the practical's grading folder.
        record: what became of it.
        statuses: each cell that was run, and how it ended.
    """
    lines = [f"{record.student} · {record.practical} · {record.submission or 'no file'}"]
    if not record.graded:
        lines += [f"quarantined: {record.reason}", f"remedy: {record.remedy}"]
    lines += [f"repaired: {note}" for note in record.notes]
    lines += [f"added: {line}" for line in record.added]
    lines += [f"to look at: {record.pending}"] if record.pending else []
    lines += [f"{cell}: {status}" for cell, status in statuses]
    if record.graded:
        lines += [
            f"ended: {record.ended or 'whole'}",
            f"{record.seconds:.2f} s, {record.cpu_seconds:.2f} s of processor time, "
            f"{record.peak_memory / 2**20:.0f} MiB",
        ]
    for test in record.tests:
        lines.append(f"{test.cell}: {test.points:g} of {test.max_points:g}{': ' * bool(test.message)}{test.message}")
    path = folder / "logs" / f"{file_name(record.student)}.log"
    return write_text(path, "\n".join(lines) + "\n")
