"""Attacks and accidents, each followed by an honest student: no undeserved mark, no lost mark, no leak, no damage."""

import hashlib
import os
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import nbformat
import psutil
import pytest
from course_copies import FULL, NEEDS_CONFINEMENT, course_at, hand_in, solved
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.record import Record, read_records
from ee559_course.paths import ROOT
from ee559_sandbox import Limits
from hostile_submissions import HONEST, HOSTILE, LOST, Hostile
from machine import ORDINARY_USER
from nbformat import NotebookNode
from users import become, own

pytestmark = NEEDS_CONFINEMENT
LIMITS = Limits(cpu_seconds=30, memory_bytes=1000 * 2**20, file_bytes=150 * 2**20, files=4000, processes=40)
SECONDS_A_CELL = 15  # attacks that another limit ends must come to it sooner, on a busy machine too
OURSELVES, ORDINARY = "as the user of the tests", "as an ordinary user"
PROGRAM = f"""
if __name__ == "__main__":  # the workers import this as well, and need nothing of it
    import sys
    from pathlib import Path
    from ee559_course.grading.batch.grade import Options, grade
    from ee559_sandbox import Limits
    from ee559_course.grading.course_folder import CourseFolder
    from ee559_course.grading.batch.workers import WorkerOptions

    sys.stdin.readline()
    pool = WorkerOptions(workers=2, limits={LIMITS})
    grade(CourseFolder(Path(sys.argv[1])), "tiny", Options(pool=pool), lambda event: None)
"""
MACHINE = HOSTILE[: [hostile.name for hostile in HOSTILE].index("replaces what compares tensors")]
"""The attacks on the machine: what stops them differs from user to user."""


@dataclass(frozen=True)
class Graded:
    """A whole batch after it was graded."""

    course: CourseFolder
    hostile: tuple[Hostile, ...]
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


@pytest.fixture
def graded(request: pytest.FixtureRequest) -> Graded:
    """Attacks after they were graded; the parameter says as whom."""
    if request.param == ORDINARY:
        ORDINARY_USER.require()
    return grade_attacks(request.param)


@cache
def grade_attacks(whose: str) -> Graded:
    """Grade attacks, each with an honest student after it, in one batch."""
    ordinary = whose == ORDINARY and os.geteuid() == 0
    hostile_ones = MACHINE if whose == ORDINARY else HOSTILE
    course = course_at(Path(mkdtemp(prefix="hostile-")) / "course")
    settings = course.root / "nbgrader_config.py"
    settings.write_text(
        settings.read_text(encoding="utf-8") + f"\nc.ExecutePreprocessor.timeout = {SECONDS_A_CELL}\n", encoding="utf-8"
    )
    course.root.parent.chmod(0o755)
    home = course.root.parent / "home"
    home.mkdir()
    (course.root.parent / "program.py").write_text(PROGRAM, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        grader = subprocess.Popen(
            [sys.executable, str(course.root.parent / "program.py"), str(course.root)],
            stdin=subprocess.PIPE,
            cwd=course.root,
            env={**os.environ, "TMPDIR": str(home)} | ({"HOME": str(home)} if ordinary else {}),
            preexec_fn=become("ordinary") if ordinary else None,
        )
        places = {
            "COURSE": str(course.root),
            "REPOSITORY": str(ROOT),
            "HOME": str(home if ordinary else Path.home()),
            "GRADER": str(grader.pid),
            "PORT": str(server.getsockname()[1]),
        }
        for hostile in hostile_ones:
            code, double = (
                re.sub("|".join(places), lambda found: places[found[0]], text)
                for text in (hostile.code, hostile.double)
            )
            hand_in(course, student_of(hostile), notebook(code, {"double": double}))
            hand_in(course, f"{student_of(hostile)} then honest", solved())
        for name, code in HONEST.items():
            hand_in(course, f"honest {name}", notebook(code, {}))
        before = digests_of(course)
        if ordinary:
            for path in (home, course.root, *course.root.rglob("*")):
                own("ordinary", path)
        grader.communicate(b"\n")
    assert grader.returncode == 0
    records = {record.student: record for record in read_records(course.grading("tiny"))}
    return Graded(course, hostile_ones, records, before)


ATTACKS = pytest.mark.parametrize(
    ("graded", "hostile"),
    [*((OURSELVES, hostile) for hostile in HOSTILE), *((ORDINARY, hostile) for hostile in MACHINE)],
    ids=lambda value: value.name if isinstance(value, Hostile) else value,
    indirect=["graded"],
)
USERS = pytest.mark.parametrize("graded", [OURSELVES, ORDINARY], indirect=True)


def lost(record: Record) -> frozenset[str]:
    return frozenset(test.cell for test in record.tests if test.points < test.max_points)


def shown(course: CourseFolder, student: str) -> str:
    graded = nbformat.read(course.autograded(student, "tiny") / "tiny.ipynb", as_version=4)
    return "\n".join(str(output) for cell in graded.cells for output in cell.get("outputs", []))


def test_there_are_enough_attacks() -> None:
    assert len(HOSTILE) >= 40
    assert len({hostile.name for hostile in HOSTILE}) == len(HOSTILE)


@ATTACKS
def test_attack_earns_what_its_answers_are_worth_and_no_more(graded: Graded, hostile: Hostile) -> None:
    record = graded.records[student_of(hostile)]
    assert record.graded, record.reason
    said = [test.message for test in record.tests if test.message]
    assert lost(record) >= LOST if hostile.harms_itself else lost(record) == LOST, said
    allowed = {hostile.ended, *([""] if hostile.may_end else [])}
    assert record.ended in allowed or hostile.harms_itself
    assert hostile.says in shown(graded.course, student_of(hostile))


@ATTACKS
def test_honest_student_after_an_attack_has_every_point(graded: Graded, hostile: Hostile) -> None:
    record = graded.records[f"{student_of(hostile)} then honest"]
    assert lost(record) == set(), [test.message for test in record.tests if test.message]
    assert (record.points, record.pending, record.ended) == (FULL, "", "")


@USERS
@pytest.mark.parametrize("name", HONEST)
def test_honest_ways_of_working_cost_nothing(graded: Graded, name: str) -> None:
    record = graded.records[f"honest {name}"]
    assert (record.points, record.ended) == (FULL, ""), [test.message for test in record.tests if test.message]
    assert record.pending == ""


@USERS
def test_batch_is_complete_and_in_the_gradebook(graded: Graded) -> None:
    with graded.course.gradebook() as gradebook:
        scores = {each.student.id: each.score for each in gradebook.assignment_submissions("tiny")}
    assert scores == {student: record.points for student, record in graded.records.items()}
    assert len(scores) == 2 * len(graded.hostile) + len(HONEST)


@USERS
def test_nothing_was_damaged_and_nothing_is_left_running(graded: Graded) -> None:
    assert digests_of(graded.course) == graded.digests
    assert not (graded.course.root / "x").exists()
    ours = str(graded.course.root.parent)  # other tests run servers at the same time
    left = [
        process.info
        for process in psutil.process_iter(["pid", "name", "cmdline", "status"])
        if all(word in " ".join(process.info["cmdline"] or ()) for word in ("fork_server", ours))
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
    assert left == []


@USERS
def test_nothing_active_and_no_secret_is_in_what_was_graded(graded: Graded) -> None:
    for hostile in graded.hostile:
        text = shown(graded.course, student_of(hostile))
        assert "javascript" not in text
        assert not re.search(r"root:[*x!]", text)
