"""Canvas' gradebook file: read it, find the practical and the students in it, and fill in what is graded."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import category

from ee559_course.grading.gradebook.marks import ClassMarks, StudentMarks
from ee559_course.grading.pages.render import number

IDS = ("ID", "SIS User ID", "SIS Login ID", "Integration ID")
NAMES = ("Student", "LastName", "FirstName")
KEPT = ("EX", "N/A")  # excused, not assigned
KEYS: tuple[Callable[[StudentMarks], str], ...] = (
    lambda mark: mark.student,
    lambda mark: mark.lms_user_id,
    lambda mark: mark.email,
)
FILLERS = "\u115f\u1160\u3164\uffa0"  # letters that are drawn as nothing
BEGINNINGS = "=+-@＝＋－＠"
NUMBER = re.compile(r"[+-]?\d[\d.,]*")
WORDS_AFTER_A_NUMBER = re.compile(r"[+-]\d[\d.,]*[\w\s.,:]*")
SEPARATORS = re.compile(r"([;|\t\r\n])")


@dataclass
class Filled:
    """A filled file, ids of those whose grade is in it, why others' is not, and what else is to be known."""

    content: bytes
    exported: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def fill(
    path: Path, marks: ClassMarks, graded: Mapping[str, StudentMarks], names: Sequence[str], column: str, match: str
) -> Filled:
    """Fill the column of a practical in the file that Canvas exported; all else stays as it came, but for formulas.

    Args:
        path: the file.
        marks: of everybody.
        graded: those whose grade goes in.
        names: of the practical, the one first that a new column gets.
        column: the column's whole name, title or number; by default the one that has one of the names.
        match: the column that holds ids of the gradebook; by default the one that fits most students.

    Raises:
        ValueError: it is not such a file, or a column is missing or not the only one.
    """
    rows, delimiter, line_end, codec = _read(path)
    header = rows[0]
    students = _students(rows, marks, match, path)
    filled = Filled(b"")
    place = _column(header, names, column, path)
    if place is None:
        place = len(header)
        header.append(names[0])
        filled.warnings.append(f"{path.name} has no column for {names[0]}: Canvas will offer to make an assignment.")
    for index, row in enumerate(rows[1:], 1):
        row += [""] * (len(header) - len(row))
        student = students.get(index, "")
        if "Points Possible" in row[0]:
            filled.warnings += _fill_possible(row, place, marks.max_points)
        elif student in graded and row[place].strip().upper() in KEPT:
            filled.left_out[student] = f"{row[place].strip()} in Canvas"
        elif student in graded:
            row[place] = number(graded[student].total)
            filled.exported += [student] if student not in filled.exported else []
        for cell in (cell for cell, name in enumerate(header) if name in NAMES):
            row[cell] = no_formula(row[cell])
    for student in graded.keys() - set(students.values()):
        filled.left_out[student] = f"not in {path.name}"
    filled.content = as_csv(rows, delimiter, line_end).encode(codec)
    return filled


def as_csv(rows: Sequence[Sequence[str]], delimiter: str = ",", line_end: str = "\r\n") -> str:
    """Write rows as CSV."""
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return written.getvalue()


def is_formula(cell: str) -> bool:
    """Say whether a spreadsheet would compute a cell rather than show it, or one that drops what cannot be seen."""
    seen = _as_seen(cell)
    return seen[:1] != "" and seen[0] in BEGINNINGS and not NUMBER.fullmatch(seen)


def no_formula(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would compute, also if it takes another separator than ours."""
    first, *rest = SEPARATORS.split(cell)
    others = [f"'{piece}" if _is_formula_after_a_separator(piece) else piece for piece in rest]
    cell = "".join((first, *others))
    return f"'{cell}" if is_formula(cell) else cell


def _is_formula_after_a_separator(piece: str) -> bool:
    return is_formula(piece) and not WORDS_AFTER_A_NUMBER.fullmatch(_as_seen(piece))


def _as_seen(cell: str) -> str:
    """Take away what cannot be seen at both ends: spaces, control characters, marks such as a BOM."""
    seen = (place for place, each in enumerate(cell) if category(each)[0] not in "CZM" and each not in FILLERS)
    start = next(seen, len(cell))
    return cell[start:].rstrip()


def _read(path: Path) -> tuple[list[list[str]], str, str, str]:
    """Read the rows, and find separator, line end and encoding."""
    content = path.read_bytes()
    codec = "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        text = content.decode(codec)
        first = text.partition("\n")[0]
        delimiter = ";" if first.count(";") > first.count(",") else ","
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path.name} is not as Canvas exports it, UTF-8 with separators: {error}.") from None
    if not rows or rows[0][0] not in NAMES or "ID" not in rows[0]:
        raise ValueError(f"{path.name} does not begin as Canvas' gradebook does: Student, ID, …")
    return rows, delimiter, "\r\n" if first.endswith("\r") else "\n", codec


def _students(rows: Sequence[Sequence[str]], marks: ClassMarks, match: str, path: Path) -> dict[int, str]:
    """Find the student of each row through the column that has most of the gradebook's ids, their own or others."""
    header = rows[0]
    if match and match not in header:
        raise ValueError(f"{path.name} has no column {match!r}: it has {', '.join(header[:8])}.")
    best: dict[int, str] = {}
    for name in [match] if match else [name for name in IDS if name in header]:
        place = header.index(name)
        for key in KEYS:
            students = {key(mark).strip().casefold(): mark.student for mark in marks.students.values() if key(mark)}
            ids = [row[place].strip().casefold() if len(row) > place else "" for row in rows]
            found = {index: students[each] for index, each in enumerate(ids) if index and each in students}
            best = found if len(found) > len(best) else best
    if not best:
        raise ValueError(f"no student of the gradebook is in {path.name}: say which column has the ids.")
    return best


def _column(header: Sequence[str], names: Sequence[str], column: str, path: Path) -> int | None:
    wanted = {column} if column else set(names)
    found = [place for place, name in enumerate(header) if wanted & _names(name, with_number=bool(column))]
    if len(found) > 1 or (column and not found):
        which = "several columns" if found else "no column"
        raise ValueError(f"{path.name} has {which} for {' or '.join(sorted(wanted))}: it has {', '.join(header)}.")
    return found[0] if found else None


def _names(name: str, with_number: bool) -> set[str]:
    """Take ``TITLE (NUMBER)`` apart."""
    parts = re.fullmatch(r"(.*?)\s*\((\d+)\)", name)
    if parts is None:
        return {name}
    return {name, parts[1], parts[2]} if with_number else {parts[1]}


def _fill_possible(row: list[str], place: int, possible: float) -> Iterator[str]:
    """Fill in the points that can be earned where Canvas has none; say so if it has others."""
    said = row[place].strip()
    whole, _, decimals = said.replace(",", ".").rpartition(".")
    if not said:
        row[place] = number(possible)
    elif not NUMBER.fullmatch(said) or float(f"{whole.replace('.', '')}.{decimals}" if whole else decimals) != possible:
        yield f"Canvas has {said} points possible, and the practical gives {number(possible)}."
