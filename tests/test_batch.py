"""Batches: nothing is lost however they end, nothing is graded twice, and one grades at a time."""

import contextlib
import copy
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import nbformat
import psutil
import pytest
from course_copies import NEEDS_CONFINEMENT, course_at, hand_in, released, solved
from distributed import LocalCluster
from ee559_course.cli import app
from ee559_course.grading.batch import Event, Options, course_secret, grade
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook import write_marks
from ee559_course.grading.pool import GradingError, PoolOptions, connect
from ee559_course.grading.record import Record, read_records
from ee559_course.practicals.release import ReleaseError
from typer.testing import CliRunner

KILLS = 20
pytestmark = NEEDS_CONFINEMENT
ZYGOTE = Path(__file__).with_name("grading_zygote.py")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Start a cluster that is not the grader's own, and stays when a grader is killed."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        memory_limit=0,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # it opens a port all the same, by default 8787
    ) as cluster:
        yield cluster.scheduler_address


def no_one(event: Event) -> None:
    """Listen to nothing."""


def on(scheduler: str, **options: Any) -> Options:
    return Options(pool=PoolOptions(scheduler=scheduler), **options)


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
    wrong = ("def my_relu(x):\n    return x.abs()", "def my_relu(x):\n    return x", "def my_relu(x):\n    pass")
    for number in range(students - 2):
        answers = {"words-receptive-field": f"I think {number}."}
        if number % 4:
            answers["my-relu"] = wrong[number % 4 - 1]
        hand_in(course, f"student-{number:02d}", solved(answers))
    hand_in(course, "untouched", released())
    hand_in(course, "broken", b'{"cells": [')


def gradebook_of(course: CourseFolder) -> list[tuple[Any, ...]]:
    """Read what the gradebook says of each cell of each student."""
    with course.gradebook() as gradebook:
        return sorted(
            (each.student.id, grade.name, grade.auto_score, grade.manual_score, grade.needs_manual_grade)
            for each in gradebook.assignment_submissions("sizes")
            for grade in each.notebooks[0].grades
        ) + sorted(
            (each.student.id, comment.name, comment.auto_comment)
            for each in gradebook.assignment_submissions("sizes")
            for comment in each.notebooks[0].comments
        )


def test_killed_at_twenty_moments_the_gradebook_is_the_same_in_the_end(scheduler: str, tmp_path: Path) -> None:
    whole, killed = course_at(tmp_path / "whole"), course_at(tmp_path / "killed")
    for course in (whole, killed):
        hand_in_a_class(course)
        (course.root / "grading").mkdir()
        (course.root / "grading" / "secret").write_bytes(b"the same draws in both")
    grade(whole, "sizes", on(scheduler), no_one)
    events: list[Event] = []
    started = time.monotonic()
    grade(whole, "sizes", on(scheduler, again=True), events.append)
    between = (time.monotonic() - started) / len(events)

    draw = random.Random(0)
    command = [sys.executable, str(ZYGOTE), str(killed.root), scheduler]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as zygote:
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        said = iter(zygote.stdout)
        ends = []
        for number in range(KILLS):
            zygote.stdin.write("rest\n" if number % 4 == 0 else "again\n")
            zygote.stdin.flush()
            pid, line = int(next(said)), ""
            for _ in range(draw.randrange(len(events) // 2)):
                if not line.startswith("ended"):
                    line = next(said)
            time.sleep(draw.uniform(0, 2 * between))  # so that it is killed between two events too
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            while not line.startswith("ended"):
                line = next(said)
            ends.append(int(line.split()[1]))
        zygote.stdin.close()
    assert set(ends) <= {0, -signal.SIGKILL}
    assert ends.count(-signal.SIGKILL) >= KILLS // 2, "too few runs were still going when they were killed"
    records = grade(killed, "sizes", on(scheduler), no_one)
    assert len(records) == 16
    assert gradebook_of(killed) == gradebook_of(whole)
    assert {record.student: record.points for record in records} == {
        record.student: record.points for record in read_records(whole.grading("sizes"))
    }


def test_second_run_grades_only_what_is_new_or_has_changed(scheduler: str, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    hand_in(course, "grace", solved())
    first = grade(course, "sizes", on(scheduler), no_one)
    hand_in(course, "grace", solved({"my-relu": "def my_relu(x):\n    return x.abs()"}))
    hand_in(course, "linus", solved())
    events: list[Event] = []
    second = grade(course, "sizes", on(scheduler), events.append)
    assert [event.student for event in events if event.kind == "unchanged"] == ["ada"]
    assert sorted(event.student for event in events if event.kind == "graded") == ["grace", "linus"]
    assert {record.student: record.points for record in second} == {"ada": 24, "grace": 22, "linus": 24}
    assert [record.points for record in first] == [24, 24]
    events.clear()
    grade(course, "sizes", on(scheduler, again=True, students=["ada"]), events.append)
    assert [event.student for event in events if event.kind == "graded"] == ["ada"]


def test_grades_given_by_hand_stay_when_a_practical_is_graded_again(scheduler: str, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    grade(course, "sizes", on(scheduler), no_one)
    with course.gradebook() as gradebook:
        gradebook.find_grade("words-receptive-field", "sizes", "sizes", "ada").manual_score = 2.5
        gradebook.find_grade("test-relu-values", "sizes", "sizes", "ada").manual_score = 1.0
        gradebook.find_comment("words-receptive-field", "sizes", "sizes", "ada").manual_comment = "Nearly."
        gradebook.db.commit()
    grade(course, "sizes", on(scheduler, again=True), no_one)
    with course.gradebook() as gradebook:
        assert gradebook.find_submission("sizes", "ada").score == 24 - 1 + 2.5
        assert gradebook.find_grade("test-relu-values", "sizes", "sizes", "ada").needs_manual_grade
        assert gradebook.find_comment("words-receptive-field", "sizes", "sizes", "ada").manual_comment == "Nearly."


def test_marks_that_could_not_be_written_whole_are_not_written_with_the_next_ones(
    scheduler: str, tmp_path: Path
) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    hand_in(course, "grace", solved())
    grade(course, "sizes", on(scheduler), no_one)
    right = nbformat.read(course.autograded("grace", "sizes") / "sizes.ipynb", as_version=4)
    broken = copy.deepcopy(right)
    broken.cells = [cell for cell in broken.cells if cell.id != "test-conv-stride"]
    for cell in broken.cells:
        if cell.id.startswith("test-"):
            cell.outputs = [nbformat.v4.new_output("error", ename="AssertionError", evalue="wrong", traceback=[])]
    with course.gradebook() as gradebook:
        with pytest.raises(KeyError, match="test-conv-stride"):
            write_marks(gradebook, course, "ada", "sizes", broken)
        write_marks(gradebook, course, "grace", "sizes", right)
    with course.gradebook() as gradebook:
        assert {each.student.id: each.score for each in gradebook.assignment_submissions("sizes")} == {
            "ada": 24,
            "grace": 24,
        }


def test_gradebook_is_backed_up_before_it_is_touched(scheduler: str, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    before = gradebook_of(course)
    grade(course, "sizes", on(scheduler), no_one)
    (backup,) = (course.root / "grading" / "backups").glob("*.db")
    copy = course_at(tmp_path / "copy")
    copy.gradebook_file.write_bytes(backup.read_bytes())
    assert gradebook_of(copy) == before != gradebook_of(course)


def test_second_grader_at_the_same_time_is_refused(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    (course.root / "grading").mkdir()
    with (
        filelock.FileLock(course.root / "grading" / "lock"),
        pytest.raises(GradingError, match="another process is grading"),
    ):
        grade(course, "sizes", Options(), no_one)
    done = CliRunner().invoke(app, ["grade", "nonsense", "--course", str(course.root)])
    assert (done.exit_code, "no such practical: nonsense" in done.output) == (1, True)


def test_unknown_practical_and_scheduler_are_one_clear_error_each(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    with pytest.raises(ReleaseError, match="no such practical: nonsense"):
        grade(course, "nonsense", Options(), no_one)
    hand_in(course, "ada", solved())
    with pytest.raises(GradingError, match="no scheduler answers at"):
        grade(course, "sizes", on("tcp://127.0.0.1:1"), no_one)


def test_grading_does_not_ask_for_the_port_of_another_cluster() -> None:
    with contextlib.ExitStack() as stack, warnings.catch_warnings(record=True) as warned:
        with contextlib.suppress(OSError):  # it may be taken already
            stack.enter_context(socket.create_server(("127.0.0.1", 8787)))
        with connect(PoolOptions(workers=1)) as pool:
            assert pool.size == 1
    assert [str(warning.message) for warning in warned if "already in use" in str(warning.message)] == []


def test_worker_that_dies_is_replaced_and_its_submission_tried_again(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    for number in range(6):
        hand_in(course, f"student-{number}", solved({"imports": "import torch, time\ntime.sleep(0.5)"}))
    others = fork_servers()  # of the cluster that other tests grade on
    killed: list[int] = []

    def kill_a_worker(event: Event) -> None:
        if event.kind == "graded" and not killed:
            server = next(each for each in fork_servers() if each not in others)
            worker = next(each for each in server.parents() if "spawn_main" in command_of(each))
            worker.kill()
            killed.append(worker.pid)

    records = grade(course, "sizes", Options(pool=PoolOptions(workers=2)), kill_a_worker)
    assert killed
    assert [record.points for record in records] == [24.0] * 6


def test_two_hundred_in_a_row_take_no_more_memory_than_twenty(scheduler: str, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    for number in range(200):
        hand_in(course, f"student-{number:03d}", solved({"words-receptive-field": f"I think {number}."}))
    sizes: list[int] = []

    def measure(event: Event) -> None:
        if event.kind == "graded":
            sizes.append(max(map(memory_of, fork_servers())) + memory_of(psutil.Process()))

    records = grade(course, "sizes", on(scheduler), measure)
    assert [record.points for record in records] == [24.0] * 200
    early, late = max(sizes[20:40]), max(sizes[-20:])
    assert late < 1.1 * early, f"{early / 2**20:.0f} MiB at first, {late / 2**20:.0f} MiB in the end"


def test_command_says_what_needs_a_look_by_its_exit_status_and_in_json(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    command = [Path(sys.executable).with_name("ee559"), "grade", "sizes", "--course", course.root, "--workers", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 submissions are graded" in done.stdout
    hand_in(course, "grace\x1b[31m", b"{")
    done = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert done.returncode == 3
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["begun", "unchanged", "quarantined", "ended"]
    assert "points" in events[1] and "points" not in events[2]
    assert events[3] == {"event": "ended", "total": 2, "graded": 1, "quarantined": 1, "to_look_at": 0}
    assert events[2]["reason"] and events[2]["remedy"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3
    assert "\x1b[31m" not in done.stdout
    assert "Rename the folder" in done.stdout


def test_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    (course.root / "grading").mkdir()
    secret = course_secret(course)
    assert (len(secret), course_secret(course)) == (32, secret)
    assert (course.root / "grading" / "secret").stat().st_mode & 0o077 == 0


def test_logs_say_what_became_of_each_cell(scheduler: str, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved({"my-relu": "def my_relu(x):\n    return x.abs()"}))
    (record,) = grade(course, "sizes", on(scheduler), no_one)
    assert isinstance(record, Record)
    log = (course.grading("sizes") / "logs" / "ada.log").read_text(encoding="utf-8")
    assert "test-relu-values: 0 of 2: my_relu: wrong values" in log
    assert "my-relu: ok" in log


def test_a_name_that_handed_nothing_in_is_no_success(scheduler: str, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    with pytest.raises(GradingError, match="nothing was handed in by adda"):
        grade(course, "sizes", on(scheduler, students=["adda"]), no_one)
    with pytest.raises(GradingError, match="nobody has handed in filters"):
        grade(course, "filters", on(scheduler), no_one)


def test_a_test_that_misses_a_name_says_what_went_wrong_in_its_cell(scheduler: str, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved({"my-relu": "def my_relu(x)\n    return x"}))
    (record,) = grade(course, "sizes", on(scheduler), no_one)
    assert isinstance(record, Record)
    lost = {test.message for test in record.tests if not test.points}
    assert lost == {
        "my_relu is not there, because the cell that defines it ends in an error: SyntaxError: expected ':' in line 1"
    }
