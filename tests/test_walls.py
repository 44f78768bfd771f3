"""The walls around a submission as a grader meets them: its time on the clock, its disk, and the programs it starts."""

import nbformat
import pytest
from course_copies import FULL, NEEDS_CONFINEMENT, course_at, hand_in, solved
from ee559_course.grading.batch.grade import Options, grade
from ee559_course.grading.batch.workers import WorkerOptions
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.record import Record
from ee559_sandbox import Limits
from machine import FIXED_SCRATCH
from nbformat.v4 import new_code_cell

pytestmark = NEEDS_CONFINEMENT

SECONDS = 12.0
LIMITS = Limits(seconds=SECONDS, file_bytes=64 << 20, files=300)
FILL = """
import mmap, os
held, error = [], None
try:
    for number in range(64):
        with open("part", "w+b") as file:
            file.write(bytes(4 << 20))
            file.flush()
            held.append(mmap.mmap(file.fileno(), 0))
        os.unlink("part")
except OSError as full:
    error = full
print("HELD", len(held) * 4, error)
del held
open("small", "w").write("there is room again")
"""
START = """
import subprocess
try:
    print("STARTED", subprocess.run(["echo", "hello"], capture_output=True, text=True).stdout)
    double_by = 2
except OSError as error:
    double_by = 3
"""


class Graded:
    """A class that was graded in one batch."""

    def __init__(self, course: CourseFolder) -> None:
        self._course = course
        hand_in(course, "full", solved({"progress": FILL}))
        hand_in(course, "honest", solved())
        hand_in(course, "starts", solved({"imports": f"import torch\nfrom torch import nn\n{START}"}))
        told_apart = "def double(x):\n    return double_by * x"
        told = {"imports": f"import torch\nfrom torch import nn\n{START}", "double": told_apart}
        hand_in(course, "tells-apart", solved(told))
        patient = solved()
        patient.cells += [new_code_cell("import time\ntime.sleep(2)", id=f"patient-{number}") for number in range(60)]
        hand_in(course, "patient", patient)
        pool = WorkerOptions(workers=1, limits=LIMITS)
        records = grade(course, "tiny", Options(pool=pool), lambda event: None)
        self.records = {record.student: record for record in records}

    def record(self, student: str) -> Record:
        return self.records[student]

    def shown(self, student: str) -> str:
        text = (self._course.autograded(student, "tiny") / "tiny.ipynb").read_text(encoding="utf-8")
        cells = nbformat.v4.reads(text).cells
        return "".join(str(output.get("text", "")) for cell in cells for output in cell.get("outputs", []))


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    return Graded(course_at(tmp_path_factory.mktemp("walls") / "course"))


def test_a_notebook_of_many_slow_cells_ends_with_the_time_of_the_submission(graded: Graded) -> None:
    """Each cell keeps its own limit, and all of them together would take two minutes a run."""
    record = graded.record("patient")
    assert record.ended == "all time"
    assert record.seconds < SECONDS + 20


def test_others_in_the_batch_keep_their_points(graded: Graded) -> None:
    assert graded.record("honest").points == FULL
    assert graded.record("honest").ended == ""


def test_a_disk_that_is_full_is_an_error_in_the_cell_and_costs_nothing_else(graded: Graded) -> None:
    FIXED_SCRATCH.require()
    assert "No space left on device" in graded.shown("full")
    held = int(graded.shown("full").partition("HELD ")[2].split()[0])
    assert 32 <= held < 64
    assert graded.record("full").points == FULL
    assert graded.record("full").ended == ""


def test_programs_start_where_nothing_is_asked_and_nowhere_else(graded: Graded) -> None:
    assert "STARTED hello" in graded.shown("starts")
    assert graded.record("starts").points == FULL
    lost = [test.cell for test in graded.record("tells-apart").tests if not test.points]
    assert lost == ["test-doubled-values"]  # right in the run that is shown, and wrong in the one that counts


def test_a_clock_that_is_generous_is_the_default() -> None:
    assert Limits().seconds == 1800
