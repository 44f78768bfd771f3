"""What became of each submission, a JSON file each: what the next run knows of this one, and reports are made from."""

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ee559_course.files import write_text
from ee559_course.grading.gradebook.file_names import file_name, is_of_before
from ee559_course.grading.marking.test_mark import TestMark


@dataclass(frozen=True)
class Record:
    """One submission.

    Attributes:
        student: id, the name of the folder in ``submitted``.
        practical: such as ``sizes``.
        submission: digest of the file that was handed in.
        source: digest of the practical's source and of what grades it.
        tests: the points of each hidden test; none when the submission is in quarantine.
        reason: why it could not be graded; empty when it was.
        remedy: what the instructor can do about that.
        notes: what was repaired before it was graded.
        added: what the notebook has beyond answers, readable; it costs no points.
        pending: why a person must look at it before the marks count; empty when nobody must.
        ended: how the run ended if not at its end, see `ee559_course.grading.run.task.ExitReason`.
        seconds: that the run took on the wall clock.
        cpu_seconds: of processor time that it took.
        peak_memory: in bytes.
    """

    student: str
    practical: str
    submission: str
    source: str
    tests: tuple[TestMark, ...] = ()
    reason: str = ""
    remedy: str = ""
    notes: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    pending: str = ""
    ended: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0

    @property
    def graded(self) -> bool:
        """Whether there are marks; otherwise it is in quarantine."""
        return not self.reason

    @property
    def points(self) -> float:
        """The sum of the points of the hidden tests."""
        return sum(test.points for test in self.tests)

    @property
    def max_points(self) -> float:
        """The sum of the points that the hidden tests give."""
        return sum(test.max_points for test in self.tests)

    def write(self, folder: Path) -> Path:
        """Write the record whole or not at all; return its path."""
        return write_text(record_path(folder, self.student), json.dumps(asdict(self), indent=1))


def record_path(folder: Path, student: str) -> Path:
    """Return where the record of a student lies in the grading folder of a practical."""
    return folder / "records" / f"{file_name(student)}.json"


def read_record(path: Path) -> Record | None:
    """Read a record; None if there is none, or none that is whole."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in dataclasses.fields(Record)}  # an older version had others too
        record = Record(**{name: value for name, value in fields.items() if name in known})
        tests = tuple(TestMark(**{**test, "at": test.get("at") and tuple(test["at"])}) for test in fields["tests"])
        return replace(record, tests=tests, notes=tuple(record.notes), added=tuple(record.added))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def rename_records_of_before(folder: Path) -> None:
    """Give each record, and the log beside it, the name of today if it has one of before."""
    for path in filter(is_of_before, (folder / "records").glob("*.json")):
        if (record := read_record(path)) is not None:
            log = folder / "logs" / f"{path.stem}.log"
            if log.exists():
                os.replace(log, log.with_stem(file_name(record.student)))
            os.replace(path, record_path(folder, record.student))


def read_records(folder: Path) -> Iterator[Record]:
    """Read all records of a practical, in the order of the students' ids."""
    read = map(read_record, (folder / "records").glob("*.json"))
    yield from sorted((record for record in read if record is not None), key=lambda record: record.student)
