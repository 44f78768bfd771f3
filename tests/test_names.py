"""A name of any kind is graded, or is a row with a remedy; a name that cannot be read stops nobody else's grading."""

import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from canned_pools import grading_on
from course_copies import FULL, NEEDS_CONFINEMENT, course_at, hand_in, solved
from ee559_course.cli import app
from ee559_course.grading.batch.grade import Event, Options, grade
from ee559_course.grading.batch.workers import Pool, WorkerOptions, connect
from ee559_course.grading.gradebook.file_names import file_name
from ee559_course.grading.gradebook.record import Record, read_records, record_path
from typer.testing import CliRunner

GRADED = (
    "ж" * 41,
    "a" * 245,
    "字" * 85,  # 255 bytes
    "🦊🐻",
    "👩\u200d🔬",
    "علی\u200cرضا",
    "Strauß",
    "Strauss",
    "O'Brien, Ann",
    "a%2Fb",
    "con",
    "-rf",
    unicodedata.normalize("NFC", "José"),
    unicodedata.normalize("NFD", "José"),
)
HELD_BACK = {
    os.fsdecode("Zoë".encode("latin-1")): "not UTF-8",
    "..%2F..": "cannot be a student's id",
}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Start a worker once."""
    with connect(WorkerOptions(workers=1)) as started:
        yield started


def no_one(event: Event) -> None:
    """Listen to nothing."""


@NEEDS_CONFINEMENT
def test_names_of_any_kind_are_graded_or_a_row_with_a_remedy(pool: Pool, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    for name in (*GRADED, *HELD_BACK):
        hand_in(course, name, solved())
    with grading_on(pool):
        records = {record.student: record for record in grade(course, "tiny", Options(), no_one)}
        assert {name: records.pop(name).points for name in GRADED} == dict.fromkeys(GRADED, FULL)
        assert records.keys() == HELD_BACK.keys()
        for name, record in records.items():
            assert HELD_BACK[name] in record.reason
            assert record.remedy
        again = {record.student: record for record in read_records(course.grading("tiny"))}
        assert again.keys() == {*GRADED, *HELD_BACK}
        events: list[Event] = []
        grade(course, "tiny", Options(), events.append)
        assert {event.student for event in events if event.kind == "unchanged"} == set(GRADED)
    for command in (["grade", "tiny"], ["feedback", "tiny"], ["report", "tiny"], ["export", "tiny", "moodle"]):
        done = CliRunner().invoke(app, [*command, "--course", str(course.root)])
        assert done.exit_code == (3 if "grade" in command else 0), done.output
    assert {path.name for path in (course.root / "feedback").iterdir()} == {*GRADED, *HELD_BACK}


def test_names_of_files_are_short_and_differ_where_students_do() -> None:
    names = [file_name(student) for student in (*GRADED, *HELD_BACK, "ada", "Ada")]
    assert len({name.lower() for name in names}) == len(names)
    assert max(len(os.fsencode(name)) for name in names) < 150
    assert not any("/" in name or name.startswith((".", "-")) for name in names)
    assert file_name("ada").startswith("ada+")


@NEEDS_CONFINEMENT
def test_records_of_before_are_found_under_their_old_names(pool: Pool, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    students = ("ada", "O'Brien, Ann", "张伟")
    for student in students:
        hand_in(course, student, solved())
    folder = course.grading("tiny")
    with grading_on(pool):
        grade(course, "tiny", Options(), no_one)
        for student in students:  # as they were called until 2026-11
            old = quote(student, safe=" ")
            record_path(folder, student).rename(folder / "records" / f"{old}.json")
            (folder / "logs" / f"{file_name(student)}.log").rename(folder / "logs" / f"{old}.log")
        assert {record.student for record in read_records(folder)} == set(students)
        events: list[Event] = []
        grade(course, "tiny", Options(), events.append)
    assert {event.student for event in events if event.kind == "unchanged"} == set(students)
    names = {file_name(student) for student in students}
    assert {path.stem for path in (folder / "records").iterdir()} == names
    assert {path.stem for path in (folder / "logs").iterdir()} == names


def test_records_keep_what_is_no_text(tmp_path: Path) -> None:
    student = os.fsdecode(b"Zo\xeb")
    Record(student, "tiny", "", "", reason="?", notes=("half \ud800",)).write(tmp_path)
    (record,) = read_records(tmp_path)
    assert (record.student, record.notes) == (student, ("half \ud800",))
    assert json.loads(record_path(tmp_path, student).read_text(encoding="ascii"))["reason"] == "?"
