"""Batches: nothing is lost however they end, nothing is graded twice, and one grades at a time."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import nbformat
import psutil
import pytest
from canned_pools import Keeping, grading_on
from course_copies import FULL, NEEDS_CONFINEMENT, course_at, hand_in, released, solved
from ee559_course.cli import app
from ee559_course.grading.batch.grade import Event, Options, grade
from ee559_course.grading.batch.workers import Pool, WorkerOptions, connect
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.errors import GradingError
from ee559_course.grading.gradebook.database import open_gradebook, write_marks
from ee559_course.grading.gradebook.file_names import file_name
from ee559_course.grading.gradebook.record import read_records
from ee559_course.grading.marking.seeds import course_secret
from ee559_course.practicals.practical import ReleaseError
from typer.testing import CliRunner

KILLS = 20
NB_MANY = 60
SQUARES = {"double": "def double(x):\n    return x * x"}
IMPORTS = """import torch
from torch import nn
print("so far")
nn.functional.conv1d(torch.ones(1, 1, 3), torch.ones(1, 1, 2))"""
pytestmark = NEEDS_CONFINEMENT
ZYGOTE = Path(__file__).with_name("grading_zygote.py")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Start workers once: they are not what is tested here."""
    with connect(WorkerOptions(workers=2)) as started:
        yield started


@pytest.fixture
def warm(pool: Pool) -> Iterator[None]:
    """Grade on workers that have started."""
    with grading_on(pool):
        yield


def no_one(event: Event) -> None:
    """Listen to nothing."""


def command_of(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):  # what runs a submission may end while we look
        return " ".join(process.cmdline())
    return ""


def memory_of(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def fork_servers() -> list[psutil.Process]:
    """List the fork servers of this process's clusters, and what they have forked."""
    return [each for each in psutil.Process().children(recursive=True) if "fork_server" in command_of(each)]


def hand_in_a_class(course: CourseFolder, students: int = 16) -> None:
    """Hand in a class: right and wrong answers, texts, an untouched release, and what cannot be read."""
    wrong = ("def double(x):\n    return x * x", "def double(x):\n    return x", "def double(x):\n    pass")
    for number in range(students - 2):
        answers = {"words-why": f"I think {number}."}
        if number % 4:
            answers["double"] = wrong[number % 4 - 1]
        hand_in(course, f"student-{number:02d}", solved(answers))
    hand_in(course, "untouched", released())
    hand_in(course, "broken", b'{"cells": [')


def gradebook_of(course: CourseFolder) -> list[tuple[Any, ...]]:
    """Read what the gradebook says of each cell of each student."""
    with course.gradebook() as gradebook:
        return sorted(
            (each.student.id, grade.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade)
            for each in gradebook.assignment_submissions("tiny")
            for grade in each.notebooks[0].grades
        ) + sorted(
            (each.student.id, comment.name, comment.auto_comment)
            for each in gradebook.assignment_submissions("tiny")
            for comment in each.notebooks[0].comments
        )


def test_killed_at_twenty_moments_the_gradebook_is_the_same_in_the_end(pool: Pool, tmp_path: Path) -> None:
    whole, killed = course_at(tmp_path / "whole"), course_at(tmp_path / "killed")
    for course in (whole, killed):
        hand_in_a_class(course)
        (course.root / "grading" / "secret").parent.mkdir(exist_ok=True)
        (course.root / "grading" / "secret").write_bytes(b"the same draws in both")
    with grading_on(Keeping(pool, tmp_path / "results")):
        grade(whole, "tiny", Options(), no_one)
        grade(killed, "tiny", Options(students=["broken"]), no_one)  # makes its plan
    draw = random.Random(0)
    command = [sys.executable, str(ZYGOTE), str(killed.root), str(tmp_path / "results")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as zygote:
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        said = iter(zygote.stdout)
        ends = []
        for number in range(KILLS):
            zygote.stdin.write("rest\n" if number % 4 == 0 else "again\n")
            zygote.stdin.flush()
            pid, line = int(next(said)), ""
            for _ in range(draw.randrange(16)):
                if not line.startswith("ended"):
                    line = next(said)
            time.sleep(draw.uniform(0, 0.05))  # so that it is killed between two events too
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            while not line.startswith("ended"):
                line = next(said)
            ends.append(int(line.split()[1]))
        zygote.stdin.write("rest\n")
        zygote.stdin.close()
        assert list(said)[-1] == "ended 0\n"
    assert set(ends) <= {0, -signal.SIGKILL}
    assert ends.count(-signal.SIGKILL) >= KILLS // 2, "too few runs were still going when they were killed"
    assert gradebook_of(killed) == gradebook_of(whole)
    for course in (whole, killed):
        assert len(list(read_records(course.grading("tiny")))) == 16
    points = [{record.student: record.points for record in read_records(c.grading("tiny"))} for c in (whole, killed)]
    assert points[0] == points[1]


def test_nothing_goes_on_when_the_grader_is_killed(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    for student in ("ada", "grace"):
        hand_in(course, student, solved({"imports": "import time\nimport torch\nfrom torch import nn\ntime.sleep(60)"}))
    command = [sys.executable, "-m", "ee559_course", "grade", "tiny", "--course", str(course.root), "--workers", "2"]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as grader:
        assert grader.stdout is not None
        for line in grader.stdout:
            if '"running"' in line:
                break
        started = psutil.Process(grader.pid).children(recursive=True)
        while not any("fork_server" in command_of(each) for each in started):
            started = psutil.Process(grader.pid).children(recursive=True)
        grader.kill()
    assert started
    assert psutil.wait_procs(started, timeout=30)[1] == []


@pytest.mark.usefixtures("warm")
def test_second_run_grades_only_what_is_new_or_has_changed(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    hand_in(course, "grace", solved())
    first = grade(course, "tiny", Options(), no_one)
    hand_in(course, "grace", solved(SQUARES))
    hand_in(course, "linus", solved())
    events: list[Event] = []
    second = grade(course, "tiny", Options(), events.append)
    assert [event.student for event in events if event.kind == "unchanged"] == ["ada"]
    assert sorted(event.student for event in events if event.kind == "graded") == ["grace", "linus"]
    assert {record.student: record.points for record in second} == {"ada": FULL, "grace": FULL - 2, "linus": FULL}
    assert [record.points for record in first] == [FULL, FULL]
    events.clear()
    grade(course, "tiny", Options(again=True, students=["ada"]), events.append)
    assert [event.student for event in events if event.kind == "graded"] == ["ada"]


@pytest.mark.usefixtures("warm")
def test_a_practical_that_has_changed_is_graded_again_if_that_is_asked_for(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    grade(course, "tiny", Options(), no_one)
    tests = course.root / "solutions" / "tiny" / "hidden_tests.py"
    tests.write_text(tests.read_text(encoding="utf-8").replace("return 2 * x\n", "return 3 * x\n"), encoding="utf-8")
    (record,) = grade(course, "tiny", Options(newest=True), no_one)
    assert [test.cell for test in record.tests if not test.points] == ["test-doubled-values"]


@pytest.mark.usefixtures("warm")
def test_grades_given_by_hand_stay_when_a_practical_is_graded_again(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    grade(course, "tiny", Options(), no_one)
    with course.gradebook() as gradebook:
        gradebook.find_grade("words-why", "tiny", "tiny", "ada").manual_score = 2.5
        gradebook.find_grade("test-doubled-values", "tiny", "tiny", "ada").manual_score = 1.0
        gradebook.find_comment("words-why", "tiny", "tiny", "ada").manual_comment = "Nearly."
        gradebook.db.commit()
    grade(course, "tiny", Options(again=True), no_one)
    with course.gradebook() as gradebook:
        assert gradebook.find_submission("tiny", "ada").score == FULL - 1 + 2.5
        assert gradebook.find_grade("test-doubled-values", "tiny", "tiny", "ada").needs_manual_grade
        assert gradebook.find_comment("words-why", "tiny", "tiny", "ada").manual_comment == "Nearly."


@pytest.mark.usefixtures("warm")
def test_the_gradebook_is_as_nbgrader_itself_would_write_it(tmp_path: Path) -> None:
    ours, theirs = course_at(tmp_path / "ours"), course_at(tmp_path / "theirs")
    for course in (ours, theirs):
        hand_in(course, "ada", solved(SQUARES))
        hand_in(course, "untouched", released())
        (course.submitted("ada", "tiny") / "timestamp.txt").write_text("2026-03-01 12:00:00 Europe/Zurich")
    grade(ours, "tiny", Options(), no_one)
    command: list[str | Path] = [Path(sys.executable).with_name("nbgrader"), "autograde", "tiny", "--create"]
    subprocess.run(command, cwd=theirs.root, check=True, capture_output=True)
    assert gradebook_of(ours) == gradebook_of(theirs)
    stamps = []
    for course in (ours, theirs):
        with course.gradebook() as gradebook:
            found = gradebook.find_submission("tiny", "ada")
            stamps.append((found.timestamp, found.score, found.max_score))
    assert stamps[0] == stamps[1]


@pytest.mark.usefixtures("warm")
def test_what_is_late_loses_what_nbgraders_settings_say(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    settings = course.root / "nbgrader_config.py"
    penalty = '\nc.LateSubmissionPlugin.penalty_method = "zero"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + penalty, encoding="utf-8")
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate="2026-03-01 11:00:00 UTC")
    for student, stamp in (("late", "2026-03-01 11:00:01 UTC"), ("early", "2026-03-01 11:59:59 +0100")):
        hand_in(course, student, solved())
        (course.submitted(student, "tiny") / "timestamp.txt").write_text(stamp)
    grade(course, "tiny", Options(), no_one)
    with course.gradebook() as gradebook:
        assert gradebook.find_submission("tiny", "late").late_submission_penalty == FULL
        assert not gradebook.find_submission("tiny", "early").late_submission_penalty


def test_marks_that_could_not_be_written_whole_are_not_written(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    cells = {"words-why": None, "test-doubled-values": 2.0}
    with open_gradebook(course) as gradebook:
        with pytest.raises(KeyError, match="test-"):
            write_marks(gradebook, course, "ada", "tiny", cells, ())
        assert gradebook.execute("SELECT count(*) FROM student").fetchone() == (0,)


@pytest.mark.usefixtures("warm")
def test_a_gradebook_that_somebody_else_keeps_open_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    monkeypatch.setattr("ee559_course.grading.gradebook.database.SECONDS_TO_WAIT", 0.2)
    other = sqlite3.connect(course.gradebook_file)
    with contextlib.closing(other):

        def lock(event: Event) -> None:
            if event.kind == "running":
                other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(GradingError, match="the gradebook cannot be read or written: database is locked"):
            grade(course, "tiny", Options(), lock)
    assert [record.points for record in grade(course, "tiny", Options(), no_one)] == [FULL]


@pytest.mark.usefixtures("warm")
def test_gradebook_is_backed_up_before_it_is_touched(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    before = gradebook_of(course)
    grade(course, "tiny", Options(), no_one)
    (backup,) = (course.root / "grading" / "backups").glob("*.db")
    copy = course_at(tmp_path / "copy")
    copy.gradebook_file.write_bytes(backup.read_bytes())
    assert gradebook_of(copy) == before != gradebook_of(course)


def test_second_grader_at_the_same_time_is_refused(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    (course.root / "grading").mkdir(exist_ok=True)
    with (
        filelock.FileLock(course.root / "grading" / "lock"),
        pytest.raises(GradingError, match="another process is grading"),
    ):
        grade(course, "tiny", Options(), no_one)
    done = CliRunner().invoke(app, ["grade", "nonsense", "--course", str(course.root)])
    assert (done.exit_code, "no such practical: nonsense" in done.output) == (1, True)


def test_an_unknown_practical_is_one_clear_error(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    with pytest.raises(ReleaseError, match="no such practical: nonsense"):
        grade(course, "nonsense", Options(), no_one)


def test_worker_that_dies_is_replaced_and_its_submission_tried_again(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    slow = solved({"imports": "import torch, time\nfrom torch import nn\ntime.sleep(0.5)"})
    for number in range(6):
        hand_in(course, f"student-{number}", slow)
    others = fork_servers()  # of the workers that other tests grade on
    killed: list[int] = []

    def kill_a_worker(event: Event) -> None:
        if event.kind == "graded" and not killed:
            server = next(each for each in fork_servers() if each not in others)
            worker = next(each for each in server.parents() if "spawn_main" in command_of(each))
            worker.kill()
            killed.append(worker.pid)

    records = grade(course, "tiny", Options(pool=WorkerOptions(workers=2)), kill_a_worker)
    assert killed
    assert [record.points for record in records] == [FULL] * 6


@pytest.mark.usefixtures("warm")
def test_many_in_a_row_take_no_more_memory_than_a_few(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    for number in range(NB_MANY):
        hand_in(course, f"student-{number:03d}", solved({"words-why": f"I think {number}."}))
    sizes: list[int] = []

    def measure(event: Event) -> None:
        if event.kind == "graded":
            sizes.append(max(map(memory_of, fork_servers())) + memory_of(psutil.Process()))

    records = grade(course, "tiny", Options(), measure)
    assert [record.points for record in records] == [FULL] * NB_MANY
    early, late = max(sizes[10:20]), max(sizes[-10:])
    assert late < 1.1 * early, f"{early / 2**20:.0f} MiB at first, {late / 2**20:.0f} MiB in the end"


def test_command_says_what_needs_a_look_by_its_exit_status_and_in_json(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    command: list[str | Path] = [
        Path(sys.executable).with_name("ee559"),
        "grade",
        "tiny",
        "--course",
        course.root,
        "--workers",
        "1",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 submissions are graded" in done.stdout
    hand_in(course, "grace\x1b[31m", b"{")
    done = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert done.returncode == 3
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["begun", "unchanged", "quarantined", "ended"]
    assert "points" in events[1]
    assert "points" not in events[2]
    assert events[3] == {"event": "ended", "total": 2, "graded": 1, "quarantined": 1, "to_look_at": 0}
    assert events[2]["reason"]
    assert events[2]["remedy"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert "\x1b[31m" not in done.stdout
    assert "Rename the folder" in done.stdout


def test_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    (course.root / "grading").mkdir(exist_ok=True)
    secret = course_secret(course)
    assert (len(secret), course_secret(course)) == (32, secret)
    assert (course.root / "grading" / "secret").stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("warm")
def test_logs_and_the_graded_notebook_say_what_became_of_each_cell(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(
        course,
        "ada",
        solved({**SQUARES, "imports": IMPORTS}),
    )
    (record,) = grade(course, "tiny", Options(), no_one)
    log = (course.grading("tiny") / "logs" / f"{file_name('ada')}.log").read_text(encoding="utf-8")
    assert "test-doubled-values: 0 of 2: double(x=tensor([3.])): the value is not right" in log
    assert "double: ok" in log
    assert "imports: ok, then error" in log
    assert record.points == FULL - 2, "names that the cell defines before it fails are there"
    graded = nbformat.read(course.autograded("ada", "tiny") / "tiny.ipynb", as_version=4)
    cells = {cell.id: cell for cell in graded.cells}
    printed, result, told = cells["imports"].outputs
    assert printed.text == "so far\n"
    assert "tensor([[[2., 2.]]])" in result.data["text/plain"]
    assert "do this by hand: torch's conv1d is not allowed" in told.evalue
    (failed,) = cells["test-doubled-values"].outputs
    assert failed.evalue.endswith("got 9.0 at index (0,), expected 6.0. It looks like this: the square")


@pytest.mark.usefixtures("warm")
def test_the_order_of_cells_and_what_ends_the_process_cost_only_what_they_must(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    moved = solved()
    (answer,) = (cell for cell in moved.cells if cell.id == "smooth")
    moved.cells = [*(cell for cell in moved.cells if cell.id != "smooth"), answer]
    hand_in(course, "below its test", moved)
    hand_in(course, "ends", solved({"check-shift": "import os\nos._exit(0)"}))
    hand_in(course, "crashes where asked", solved({"shift": "import os\ndef shift(x, by):\n    os.abort()"}))
    shadows = "import torch\nfrom torch import nn\nlist = dict = type = isinstance = range = F = math = 3"
    hand_in(course, "shadows", solved({"imports": shadows}))
    records = {record.student: record for record in grade(course, "tiny", Options(), no_one)}
    assert records["below its test"].points == FULL
    assert (records["ends"].points, records["ends"].ended) == (FULL, "itself")
    assert records["crashes where asked"].points == FULL - 2
    assert records["shadows"].points == FULL


def test_a_name_that_handed_nothing_in_is_no_success(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    with pytest.raises(GradingError, match="nothing was handed in by adda"):
        grade(course, "tiny", Options(students=["adda"]), no_one)
    (course.root / "submitted" / "ada" / "tiny").rename(course.root / "submitted" / "ada" / "other")
    with pytest.raises(GradingError, match="nobody has handed in tiny"):
        grade(course, "tiny", Options(), no_one)


@pytest.mark.usefixtures("warm")
def test_a_test_that_misses_a_name_says_what_went_wrong_in_its_cell(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved({"double": "def double(x)\n    return x"}))
    hand_in(course, "grace", released())
    hand_in(course, "linus", solved({"double": "def dubble(x):\n    return 2 * x"}))
    said = {record.student: record.tests[0].message for record in grade(course, "tiny", Options(), no_one)}
    assert said == {
        "ada": "double is not there, because the cell that defines it ends in an error: "
        "SyntaxError: expected ':' in line 1",
        "grace": "double is not answered yet: return twice each value of x, of x's size",
        "linus": "NameError: name 'double' is not defined",
    }


def test_the_graders_own_process_has_neither_torch_nor_nbgrader() -> None:
    program = "import sys, ee559_course.grading.batch.grade; print({'torch', 'nbgrader'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.usefixtures("warm")
def test_the_graders_own_part_of_a_submission_is_short(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    for number in range(12):
        hand_in(course, f"student-{number:02d}", solved({"words-why": f"I think {number}."}))
    moments = []
    grade(course, "tiny", Options(), lambda event: moments.append((event.kind, time.process_time())))
    graded = [moment for kind, moment in moments if kind == "graded"]
    each = (graded[-1] - graded[0]) / (len(graded) - 1)
    assert each < 0.02, f"{1000 * each:.0f} ms of processor time"
