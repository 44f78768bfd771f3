"""Versions: what was made from a release is graded by that release, also when the practical has changed since."""

import json
from collections.abc import Iterator

import nbformat
import pytest
from canned_pools import grading_on
from course_copies import FULL, NEEDS_CONFINEMENT, course_at, hand_in, solved
from ee559_course.grading.batch.grade import Event, Options, grade
from ee559_course.grading.batch.workers import Pool, WorkerOptions, connect
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.errors import Quarantine
from ee559_course.grading.plan.grading_plan import read_plan
from ee559_course.grading.plan.versions import Versions, keep_version
from ee559_course.practicals.practical import read_practical
from nbformat import NotebookNode

BY_THREE = ("return 2 * x\n", "return 3 * x\n")  # in the hidden test of `double`
TRIPLE = {"double": "def double(x):\n    return 3 * x"}


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Start workers once: they are not what is tested here."""
    with connect(WorkerOptions(workers=1)) as started:
        yield started


@pytest.fixture
def course(tmp_path_factory: pytest.TempPathFactory) -> CourseFolder:
    return course_at(tmp_path_factory.mktemp("versions") / "course")


def version_of(course: CourseFolder) -> str:
    return read_practical("tiny", course.root / "solutions").version


def change_tests(course: CourseFolder, before: str, after: str) -> str:
    """Change the practical's hidden tests; return its new version."""
    path = course.root / "solutions" / "tiny" / "hidden_tests.py"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    return version_of(course)


def made_from(version: str, notebook: NotebookNode) -> NotebookNode:
    notebook.metadata["ee559"] = {"practical": "tiny", "version": version}
    return notebook


@NEEDS_CONFINEMENT
def test_what_was_made_from_a_release_is_graded_by_it_after_a_change(course: CourseFolder, pool: Pool) -> None:
    first = version_of(course)
    keep_version(course, "tiny", first)  # as `ee559 release` does
    second = change_tests(course, *BY_THREE)
    hand_in(course, "ada", made_from(first, solved()))
    hand_in(course, "grace", made_from(second, solved()))
    hand_in(course, "linus", made_from(second, solved(TRIPLE)))
    with grading_on(pool):
        records = {record.student: record for record in grade(course, "tiny", Options(), lambda event: None)}
        assert {name: record.points for name, record in records.items()} == {
            "ada": FULL,
            "grace": FULL - 2,
            "linus": FULL,
        }
        assert records["ada"].notes[0] == f"graded by version {first}, from which it was made."
        assert not records["linus"].notes
        events: list[Event] = []
        grade(course, "tiny", Options(), events.append)
        assert [event.kind for event in events[1:]] == ["unchanged"] * 3
        events.clear()
        (newest,) = grade(course, "tiny", Options(students=["ada"], newest=True), events.append)
        assert (newest.points, newest.notes) == (FULL - 2, ())


def test_a_version_that_was_graded_by_once_is_kept(course: CourseFolder) -> None:
    graded_by = read_plan(course, "tiny")
    Versions(course, graded_by)
    change_tests(course, *BY_THREE)
    found, note = Versions(course, read_plan(course, "tiny")).of(content(graded_by.version))
    assert (found.digest, found.code) == (graded_by.digest, graded_by.code)
    assert graded_by.version in note


def content(version: str) -> bytes:
    return str(nbformat.writes(made_from(version, solved()))).encode()


def test_a_version_that_is_not_kept_is_graded_by_the_one_of_now_and_noted(course: CourseFolder) -> None:
    newest = read_plan(course, "tiny")
    found, note = Versions(course, newest).of(content("0123456789ab"))
    assert found is newest
    assert note == "it was made from version 0123456789ab, which is not kept: graded by the one of now."


def test_a_version_with_other_points_is_a_students_row_with_a_remedy(course: CourseFolder) -> None:
    first = version_of(course)
    keep_version(course, "tiny", first)
    change_tests(course, "points = 2", "points = 3")
    versions = Versions(course, read_plan(course, "tiny"))
    with pytest.raises(Quarantine) as refused:
        versions.of(content(first))
    assert f"version {first}" in refused.value.reason
    assert (course.root / refused.value.remedy.split()[-1].rstrip(".") / "tiny.ipynb").exists()


def test_only_the_notebooks_own_metadata_name_a_version(course: CourseFolder) -> None:
    newest = read_plan(course, "tiny")
    versions = Versions(course, newest)
    claims = json.dumps({"ee559": {"practical": "tiny", "version": "0123456789ab"}})
    plain = solved({"words-why": claims})
    assert versions.of(nbformat.writes(plain).encode()) == (newest, "")
    plain.metadata.pop("ee559", None)
    assert versions.of(nbformat.writes(plain).encode()) == (newest, "")
    assert versions.of(b"") == (newest, "")
