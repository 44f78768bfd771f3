"""A course folder of the form before goes on: what was handed in, graded and given by hand stays beside the new."""

import shutil
from pathlib import Path

import nbformat
import pytest
from ee559_course.cli import app
from ee559_course.grading.course_folder import CourseFolder
from ee559_course.grading.gradebook.upgrade import practicals_of_before
from ee559_course.paths import ROOT, SOLUTIONS
from ee559_course.practicals.practical import read_practical
from ee559_course.practicals.release import full_notebook
from nbgrader.apps import NbGraderAPI
from typer.testing import CliRunner


@pytest.fixture
def course(tmp_path: Path) -> CourseFolder:
    """A course folder with a practical whose tests stand in its notebook, one submission, and points by hand."""
    practical = read_practical("batches")
    folder = tmp_path / "solutions" / "batches"
    folder.mkdir(parents=True)
    nbformat.write(full_notebook(practical), folder / "batches.ipynb")
    (tmp_path / "nbgrader_config.py").write_text(
        (ROOT / "nbgrader_config.py").read_text("utf-8") + "\n# mine\n", "utf-8"
    )
    made = CourseFolder(tmp_path)
    api = NbGraderAPI(config=made.config)
    assert api.generate_assignment("batches", force=True, create=True)["success"]
    submission = made.submitted("ada", "batches")
    shutil.copytree(tmp_path / "practicals" / "batches", submission)
    words = next(cell for part in practical.parts for cell in part.words)
    with made.gradebook() as gradebook:
        gradebook.update_or_create_student("ada")
        gradebook.update_or_create_submission("batches", "ada")
        grade = gradebook.find_grade(words, "batches", "batches", "ada")
        grade.manual_score = 2.0
        gradebook.db.commit()
    for kind in ("autograded", "feedback"):
        (tmp_path / kind / "ada" / "batches").mkdir(parents=True)
        (tmp_path / kind / "ada" / "batches" / "batches.html").write_text("graded", encoding="utf-8")
    (tmp_path / "grading" / "batches" / "records").mkdir(parents=True)
    (tmp_path / "grading" / "batches" / "records" / "ada.json").write_text("{}", encoding="utf-8")
    return made


def run(course: CourseFolder, *command: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*command, "--course", str(course.root)])
    return done.exit_code, " ".join((done.output or repr(done.exception)).split())


def test_grading_the_old_form_is_refused_with_the_command_that_brings_it_up(course: CourseFolder) -> None:
    status, said = run(course, "grade", "batches")
    assert status == 1
    assert "ee559 upgrade" in said


def test_what_was_handed_in_and_graded_stays_under_a_name_of_its_own(course: CourseFolder) -> None:
    status, said = run(course, "upgrade")
    assert status == 0, said
    assert "batches is now called batches-before, with all its submissions and points." in said
    with course.gradebook() as gradebook:
        (submission,) = gradebook.assignment_submissions("batches-before")
        assert submission.score == 2.0
        assert gradebook.find_notebook("batches-before", "batches-before").name == "batches-before"
    for kind in ("autograded", "feedback"):
        assert (course.root / kind / "ada" / "batches-before" / "batches-before.html").read_text("utf-8") == "graded"
    assert (course.submitted("ada", "batches-before") / "batches-before.ipynb").exists()
    assert (course.grading("batches-before") / "records" / "ada.json").exists()
    assert (course.root / "nbgrader_config.py-before").read_text("utf-8").endswith("# mine\n")
    assert list((course.root / "grading" / "backups").glob("*.db"))
    assert practicals_of_before(course) == []


def test_the_practical_of_today_is_ready_to_be_handed_out(course: CourseFolder) -> None:
    run(course, "upgrade")
    assert read_practical("batches", course.root / "solutions").version == read_practical("batches", SOLUTIONS).version
    assert (course.root / "practicals" / "batches" / "batches.ipynb").exists()
    assert NbGraderAPI(config=course.config).generate_assignment("batches", force=True, create=True)["success"]
    assert run(course, "upgrade") == (0, run(course, "upgrade")[1])


def test_a_folder_in_the_way_is_named_and_nothing_is_lost(course: CourseFolder) -> None:
    (course.root / "solutions" / "batches-before").mkdir()
    status, said = run(course, "upgrade")
    assert status == 1
    assert "is there already: move it away" in said.replace("batches- before", "batches-before")
    shutil.rmtree(course.root / "solutions" / "batches-before")
    status, said = run(course, "upgrade")
    assert status == 0, said
    with course.gradebook() as gradebook:
        assert gradebook.assignment_submissions("batches-before")[0].score == 2.0
