"""Folders that cannot be read are a row; a full disk, a closed course folder and a locked gradebook are a sentence."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from canned_pools import grading_on
from course_copies import FULL, NEEDS_CONFINEMENT, course_at, hand_in, solved
from ee559_course.grading.batch.grade import Event, Options, grade
from ee559_course.grading.batch.workers import Pool, WorkerOptions, connect
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.errors import GradingError
from machine import MOUNTS, ORDINARY_USER
from users import become, own, temporary_folder

GRADE = """
import json, sys
from pathlib import Path
from ee559_course.grading.batch.grade import Options, grade
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.batch.workers import WorkerOptions

if __name__ == "__main__":
    options = Options(pool=WorkerOptions(workers=1))
    records = grade(CourseFolder(Path(sys.argv[1])), "tiny", options, lambda event: None)
    print(json.dumps({record.student: [record.points, record.reason, record.remedy] for record in records}))
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Start a worker once."""
    with connect(WorkerOptions(workers=1)) as started:
        yield started


def no_one(event: Event) -> None:
    """Listen to nothing."""


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """Mount a file system of fixed size on a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@NEEDS_CONFINEMENT
@pytest.mark.needs(ORDINARY_USER)
def test_folders_and_files_that_cannot_be_read_are_rows_and_the_others_are_graded() -> None:
    with temporary_folder() as folder:
        course = course_at(Path(folder) / "course")
        for student in ("ada", "closed", "shut", "unreadable", "kept", "grace"):
            hand_in(course, student, solved())
        os.mkfifo(hand_in(course, "pipe", b"").with_name("mine.py"))
        hand_in(course, "link", b"").unlink()
        (course.submitted("link", "tiny") / "tiny.ipynb").symlink_to("/etc/passwd")
        course.autograded("kept", "tiny").mkdir(parents=True)
        for path in [course.root, *course.root.rglob("*")]:
            if not path.is_symlink():
                own("ordinary", path)
        (Path(folder) / "grade.py").write_text(GRADE, encoding="utf-8")
        shut = [course.root / "submitted" / "closed", course.submitted("shut", "tiny")]
        shut += [course.submitted("unreadable", "tiny") / "tiny.ipynb", course.autograded("kept", "tiny")]
        for path in shut:
            path.chmod(0)
        own("ordinary", Path(folder))
        command = [sys.executable, str(Path(folder) / "grade.py"), str(course.root)]
        environment = {**os.environ, "HOME": folder, "TMPDIR": folder}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=folder, preexec_fn=become("ordinary")
        )
        for path in shut:
            path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    records = json.loads(done.stdout)
    assert {student: points for student, (points, reason, _) in records.items() if not reason} == {
        "ada": FULL,
        "grace": FULL,
    }
    assert all(remedy for _, reason, remedy in records.values() if reason)
    assert {student for student, (_, reason, _) in records.items() if "Permission denied" in reason} == {
        "closed",
        "shut",
        "unreadable",
        "kept",
    }


@pytest.mark.needs(MOUNTS)
@NEEDS_CONFINEMENT
def test_a_disk_that_fills_is_one_sentence_and_what_is_graded_stays(pool: Pool, tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    for student in ("ada", "grace"):
        hand_in(course, student, solved())

    def fill(event: Event) -> None:
        if event.kind == "graded":
            with pytest.raises(OSError, match="No space"):
                (course.root / "autograded" / "full").write_bytes(bytes(1_000_000))

    with mounted(course.root / "autograded", "200k"), grading_on(pool):
        with pytest.raises(GradingError, match="No space left on device") as caught:
            grade(course, "tiny", Options(), fill)
        assert "Make room on the disk" in str(caught.value)
        (course.root / "autograded" / "full").unlink()
        events: list[Event] = []
        records = grade(course, "tiny", Options(), events.append)
    assert [record.points for record in records] == [FULL, FULL]
    assert [event.student for event in events if event.kind == "unchanged"] == ["ada"]


@pytest.mark.needs(MOUNTS)
def test_a_course_folder_that_may_only_be_read_is_one_sentence(tmp_path: Path) -> None:
    made = course_at(tmp_path / "made")
    hand_in(made, "ada", solved())
    with mounted(tmp_path / "disk", "50m"):
        shutil.copytree(made.root, tmp_path / "disk" / "course")
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "disk"], check=True)
        with pytest.raises(GradingError, match="Read-only file system"):
            grade(CourseFolder(tmp_path / "disk" / "course"), "tiny", Options(), no_one)


@pytest.mark.parametrize("known", [True, False])
def test_a_gradebook_that_is_locked_from_the_start_is_one_sentence(tmp_path: Path, known: bool) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    if not known:
        (course.grading("tiny") / "plan.json").unlink()
    with closing(sqlite3.connect(course.gradebook_file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Exception, match=r"^the gradebook cannot be read or written: database is locked") as caught:
            grade(course, "tiny", Options(), no_one)
    assert "\n" not in str(caught.value)


def test_a_gradebook_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    course = course_at(tmp_path / "course")
    hand_in(course, "ada", solved())
    course.gradebook_file.write_bytes(b"no database" * 1000)
    with pytest.raises(GradingError, match="file is not a database"):
        grade(course, "tiny", Options(), no_one)
