"""Attacks and accidents, each followed by an honest student: no undeserved mark, no lost mark, no leak, no damage."""

import hashlib
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from course_copies import course_at, hand_in, solved
from ee559_course.grading.batch import Options, grade
from ee559_course.grading.blueprint import read_blueprint
from ee559_course.grading.confinement import Limits
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.judging import read_questions
from ee559_course.grading.pool import PoolOptions
from ee559_course.grading.record import Record
from ee559_course.paths import ROOT
from hostile_submissions import HONEST, HOSTILE, Hostile
from nbformat import NotebookNode

LIMITS = Limits(cpu_seconds=20, memory_bytes=1500 * 2**20, file_bytes=150 * 2**20, files=4000, processes=40)
FULL = 24.0


@dataclass(frozen=True)
class Graded:
    """A whole batch after it was graded."""

    course: CourseFolder
    records: dict[str, Record]
    digests: dict[Path, str]


def notebook(code: str, answers: dict[str, str]) -> NotebookNode:
    made = solved(answers)
    made.cells.insert(2, nbformat.v4.new_code_cell(code, id="attack"))
    return made


def student_of(hostile: Hostile) -> str:
    return f"{HOSTILE.index(hostile):02d} {hostile.name}"


def digests_of(course: CourseFolder) -> dict[Path, str]:
    """Digest what no submission may change."""
    files = [
        *(course.root / "solutions").rglob("*"),
        *(course.root / "submitted").rglob("*"),
        *ROOT.glob("utils/**/*.py"),
    ]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graded]:
    """Grade all attacks, each with an honest student after it, in one batch."""
    course = course_at(tmp_path_factory.mktemp("hostile") / "course")
    settings = course.root / "nbgrader_config.py"
    settings.write_text(
        settings.read_text(encoding="utf-8") + "\nc.ExecutePreprocessor.timeout = 4\n", encoding="utf-8"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        places = {
            "COURSE": str(course.root),
            "REPOSITORY": str(ROOT),
            "HOME": str(Path.home()),
            "GRADER": str(os.getpid()),
            "PORT": str(server.getsockname()[1]),
        }
        for hostile in HOSTILE:
            code, relu = (
                re.sub("|".join(places), lambda found: places[found[0]], text) for text in (hostile.code, hostile.relu)
            )
            hand_in(course, student_of(hostile), notebook(code, {"my-relu": relu}))
            hand_in(course, f"{student_of(hostile)} then honest", solved())
        for name, code in HONEST.items():
            hand_in(course, f"honest {name}", notebook(code, {}))
        before = digests_of(course)
        records = grade(course, "sizes", Options(pool=PoolOptions(workers=2, limits=LIMITS)), lambda event: None)
    yield Graded(course, {record.student: record for record in records}, before)


def lost(record: Record) -> frozenset[str]:
    return frozenset(test.cell for test in record.tests if test.points < test.max_points)


def shown(course: CourseFolder, student: str) -> str:
    graded = nbformat.read(course.autograded(student, "sizes") / "sizes.ipynb", as_version=4)
    return "\n".join(str(output) for cell in graded.cells for output in cell.get("outputs", []))


def test_there_are_enough_attacks() -> None:
    assert len(HOSTILE) >= 40
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_attack_earns_what_its_answers_are_worth_and_no_more(graded: Graded, hostile: Hostile) -> None:
    questions = read_questions(read_blueprint(graded.course, "sizes").notebook)
    reported = {cell for cell, question in questions.items() if question.test.reported}
    record = graded.records[student_of(hostile)]
    assert record.graded, record.reason
    assert bool(record.flags) == hostile.looked_at, record.flags
    earlier = {cell for cell in questions if cell.startswith("test-output-size")}
    if hostile.ended:
        assert record.ended == hostile.ended or (hostile.ended == "*" and record.ended), record
        assert hostile.lost <= lost(record)
        assert not earlier & lost(record) - (reported if hostile.looked_at else set()), "points earned before are lost"
    elif hostile.harms_itself:
        assert hostile.lost <= lost(record)
    elif hostile.looked_at:
        assert hostile.lost <= lost(record) <= hostile.lost | reported
        assert record.ended == ""
    else:
        assert lost(record) == hostile.lost, [test.message for test in record.tests if test.message]
        assert record.ended == ""
    assert hostile.says in shown(graded.course, student_of(hostile))


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
def test_honest_student_after_an_attack_has_every_point(graded: Graded, hostile: Hostile) -> None:
    record = graded.records[f"{student_of(hostile)} then honest"]
    assert lost(record) == set(), [test.message for test in record.tests if test.message]
    assert (record.points, record.flags, record.ended) == (FULL, (), "")


@pytest.mark.parametrize("name", HONEST)
def test_honest_ways_of_working_cost_nothing(graded: Graded, name: str) -> None:
    record = graded.records[f"honest {name}"]
    assert (record.points, record.ended) == (FULL, ""), [test.message for test in record.tests if test.message]
    assert record.flags == ()


def test_batch_is_complete_and_in_the_gradebook(graded: Graded) -> None:
    with graded.course.gradebook() as gradebook:
        scores = {each.student.id: each.score for each in gradebook.assignment_submissions("sizes")}
    assert scores == {student: record.points for student, record in graded.records.items()}
    assert len(scores) == 2 * len(HOSTILE) + len(HONEST)


def test_nothing_was_damaged_and_nothing_is_left_running(graded: Graded) -> None:
    assert digests_of(graded.course) == graded.digests
    assert not (graded.course.root / "x").exists()
    left = [
        process.info
        for process in psutil.process_iter(["pid", "name", "cmdline", "status"])
        if "fork_server" in " ".join(process.info["cmdline"] or ()) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
    assert left == []


def test_nothing_active_and_no_secret_is_in_what_was_graded(graded: Graded) -> None:
    for hostile in HOSTILE:
        text = shown(graded.course, student_of(hostile))
        assert "javascript" not in text
        assert not re.search(r"root:[*x!]", text)
