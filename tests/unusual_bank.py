"""The bank of unusual notebooks: honest submissions to the tiny practical as real students write them.

Grade all of them in one batch, beside broken files and under names of all kinds: ``python tests/unusual_bank.py``. Each
must get full marks, with nothing held back. With words as arguments, those whose names have them are graded.
"""

import os
import sys
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import unusual_forms
from course_copies import FULL, course_at, hand_in, solved
from ee559_course.grading.batch.grade import Options, grade
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.database import open_gradebook
from ee559_course.grading.gradebook.record import Record
from nbformat.v4 import new_code_cell

FOLDER = Path(__file__).with_name("unusual")
NAMES = (
    *("ada", "O'Brien, Ann", "Łukasz Żółć", "Ελένη", "Иван Петров", "张伟", "山田花子", "김민준", "עדה", "ليلى"),
    *(
        "علی\u200cرضا",
        "आदित्य",
        "สมชาย",
        "நிலா",
        "🦊🐻",
        "👩\u200d🔬",
        "ж" * 41,
        "a" * 245,
        "字" * 85,
        "Strauß",
        "Strauss",
    ),
    *(unicodedata.normalize("NFC", "José"), unicodedata.normalize("NFD", "José")),
    *("a%2Fb", "-rf", "con", "a&b=c#d", "=1+1", "<b>", "50%", "a.b.c", "a+b"),
)
BROKEN: Mapping[str, bytes] = {
    "empty": b"",
    "cut off": b'{"cells": [',
    os.fsdecode("Zoë".encode("latin-1")): b"{}",
    "..%2F..": b"{}",
    "deep": b"[" * 100_000,
    "\u202etxt": b"{}",
}


@dataclass(frozen=True)
class Unusual:
    """One honest notebook.

    Attributes:
        kind: the file of the bank that it stands in.
        name: what is unusual.
        answers: sources of cells, by id.
        first: code of a cell of its own, before all answers.
        last: code of a cell of its own, after them.
        change: name of a function of `unusual_forms` that makes the form that it comes in.
        beside: name of one for what lies beside it.
    """

    kind: str
    name: str
    answers: Mapping[str, str]
    first: str = ""
    last: str = ""
    change: str = ""
    beside: str = ""

    def content(self) -> unusual_forms.Content:
        """Return what is handed in."""
        made = solved(self.answers)
        if self.first:
            at = 1 + next(number for number, cell in enumerate(made.cells) if cell.id == "imports")
            made.cells.insert(at, new_code_cell(self.first))
        if self.last:
            made.cells.append(new_code_cell(self.last))
        content: unusual_forms.Content = getattr(unusual_forms, self.change)(made) if self.change else made
        return content


@cache
def bank() -> tuple[Unusual, ...]:
    """Read the bank."""
    known = {"name", "first", "last", "change", "beside"}
    return tuple(
        Unusual(
            path.stem,
            answers={cell: source.strip() for cell, source in entry.items() if cell not in known},
            **{key: value.strip("\n") for key, value in entry.items() if key in known},
        )
        for path in sorted(FOLDER.glob("*.toml"))
        for entry in tomllib.loads(path.read_text(encoding="utf-8"))["unusual"]
    )


def grade_unusual(root: Path, chosen: Sequence[Unusual], options: Options) -> Iterator[tuple[str, str]]:
    """Grade notebooks and broken files as one batch, and yield what each is, with what is not as it must be.

    Args:
        root: a course folder that is still to be made.
        chosen: of the bank.
        options: of the batch.
    """
    course = course_at(root)
    students = dict(zip([*NAMES, *(f"student-{number}" for number in range(len(chosen)))], chosen, strict=False))
    for student, unusual in students.items():
        path = hand_in(course, student, unusual.content())
        if unusual.beside:
            getattr(unusual_forms, unusual.beside)(path)
    for student, content in BROKEN.items():
        hand_in(course, student, content)
    records = {record.student: record for record in grade(course, "tiny", options, lambda event: None)}
    for student, unusual in students.items():
        yield f"{unusual.kind}: {unusual.name}", _problem(course, records[student])
    for student in BROKEN:
        record = records[student]
        yield f"broken: {student!a}", "" if record.reason and record.remedy else "it was graded"


def _problem(course: CourseFolder, record: Record) -> str:
    if record.reason or record.pending:
        return f"held back: {record.reason or record.pending}"
    if record.points < FULL:
        return "; ".join(test.message for test in record.tests if test.message)
    with open_gradebook(course) as gradebook:
        (waits,) = gradebook.execute(
            "SELECT needs_manual_grade FROM grade JOIN base_cell ON base_cell.id = cell_id "
            "JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id "
            "JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id "
            "WHERE name = 'words-why' AND student_id = ?",
            (record.student,),
        ).fetchone()
    return "" if waits else "its words have 0 points, and nobody has read them"


def main(*words: str) -> int:
    """Grade the bank, or what words choose of it, and print what is not as it must be."""
    chosen = [unusual for unusual in bank() if not words or any(word in unusual.name for word in words)]
    wrong = count = 0
    for what, problem in grade_unusual(Path(mkdtemp(prefix="unusual-")) / "course", chosen, Options()):
        wrong, count = wrong + bool(problem), count + 1
        print(f"{'✗' if problem else '✓'} {what}{': ' * bool(problem)}{problem}", flush=True)
    print(f"{count - wrong} of {count} are as they must be.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
